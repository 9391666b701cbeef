import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../../errors/storage-error.js';
import type { PerformanceMetric } from '../contract/telemetry.js';
import { parseSamples, type Sample } from './prometheus-text.js';

/** Counters of the pools, and of the OSDs' latencies (docs.ceph.com, "Prometheus module"). */
const POOL_NAMES = 'ceph_pool_metadata';
const POOL = {
  iopsRead: 'ceph_pool_rd',
  iopsWrite: 'ceph_pool_wr',
  ioBytesRead: 'ceph_pool_rd_bytes',
  ioBytesWrite: 'ceph_pool_wr_bytes',
} as const;
const LATENCY = {
  ioUsecRead: 'ceph_osd_op_r_latency',
  ioUsecWrite: 'ceph_osd_op_w_latency',
} as const;
const WANTED = new Set([
  POOL_NAMES,
  ...Object.values(POOL),
  ...Object.values(LATENCY).flatMap((name) => [`${name}_sum`, `${name}_count`]),
]);

/** Counters are compared over at least so long; the module itself takes them anew only every 15 s. */
const SHORTEST_MS = 1_000;
/** What is older says nothing of now. */
const LONGEST_MS = 120_000;
/** When the module repeated its last answer, it is asked again a little later. */
const FIRST_LOOK_MS = 1_000;

interface Reading {
  readonly atMs: number;
  readonly samples: readonly Sample[];
}

export interface CephPerformanceOptions {
  readonly volume: string;
  readonly url: string;
  readonly timeoutMs: number;
  /** Names of the pools that count. */
  readonly pools: readonly string[];
}

/**
 * Rates of the pools that a volume is in, from two readings of the manager's Prometheus metrics. Nothing is read
 * while nobody asks; the first to ask waits a second for the second reading. Latencies are those of all OSDs.
 */
export class CephPerformance {
  #last: Reading | undefined;

  constructor(
    private readonly options: CephPerformanceOptions,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** @throws StorageError UNAVAILABLE when the metrics cannot be read, or know none of the pools */
  async measure(): Promise<PerformanceMetric> {
    const recent = this.#last && this.now() - this.#last.atMs < LONGEST_MS ? this.#last : undefined;
    const before = recent ?? (await this.#read());
    if (this.now() - before.atMs < SHORTEST_MS) await sleep(FIRST_LOOK_MS);
    const after = await this.#read();
    // What the next one compares with; a reading is used until it is replaced by one that is old enough.
    if (recent === undefined || after.atMs - before.atMs >= SHORTEST_MS) this.#last = after;
    return rates(before, after, this.#poolIds(after));
  }

  async #read(): Promise<Reading> {
    const { url, timeoutMs, volume } = this.options;
    try {
      const answer = await fetch(url, {
        signal: AbortSignal.timeout(timeoutMs),
        redirect: 'error',
      });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      return { atMs: this.now(), samples: parseSamples(await answer.text(), WANTED) };
    } catch (error) {
      throw new StorageError(
        'UNAVAILABLE',
        'the metrics of Ceph cannot be read',
        { subject: 'volume', volume },
        { cause: new Error(`${url}: ${String(error)}`, { cause: error }) },
      );
    }
  }

  #poolIds({ samples }: Reading): ReadonlySet<string> {
    const { pools, volume } = this.options;
    const ids = samples
      .filter(({ name, labels }) => name === POOL_NAMES && pools.includes(labels['name'] ?? ''))
      .map(({ labels }) => labels['pool_id'] ?? '');
    if (ids.length > 0) return new Set(ids);
    throw new StorageError(
      'UNAVAILABLE',
      `the metrics of Ceph know none of the pools ${pools.join(', ')}`,
      { subject: 'volume', volume },
    );
  }
}

function rates(before: Reading, after: Reading, pools: ReadonlySet<string>): PerformanceMetric {
  const seconds = (after.atMs - before.atMs) / 1000;
  const growth = (name: string, counts: (sample: Sample) => boolean): number =>
    // A counter that went back was started anew.
    Math.max(0, total(after, name, counts) - total(before, name, counts));
  const ofPools = ({ labels }: Sample): boolean => pools.has(labels['pool_id'] ?? '');
  const perSecond = (name: string): number => Math.round(growth(name, ofPools) / seconds);
  const usec = (name: string): number => {
    const operations = growth(`${name}_count`, () => true);
    return operations === 0 ? 0 : (growth(`${name}_sum`, () => true) / operations) * 1e6;
  };
  return {
    iopsRead: perSecond(POOL.iopsRead),
    iopsWrite: perSecond(POOL.iopsWrite),
    ioBytesRead: perSecond(POOL.ioBytesRead),
    ioBytesWrite: perSecond(POOL.ioBytesWrite),
    ioUsecRead: usec(LATENCY.ioUsecRead),
    ioUsecWrite: usec(LATENCY.ioUsecWrite),
  };
}

function total(reading: Reading, wanted: string, counts: (sample: Sample) => boolean): number {
  return reading.samples
    .filter((sample) => sample.name === wanted && counts(sample))
    .reduce((sum, { value }) => sum + value, 0);
}
