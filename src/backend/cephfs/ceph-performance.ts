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

/** What is older than so many intervals says nothing of now. */
const LONGEST_INTERVALS = 8;
/** How often it is asked while the next counters are waited for. */
const STEP_MS = 1_000;

interface Reading {
  /** When its counters were taken, to a second: when they were seen to have changed. */
  readonly atMs: number;
  readonly text: string;
  readonly samples: readonly Sample[];
}

/** Of this process; in specs one that does not wait. */
export interface Clock {
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

export interface CephPerformanceOptions {
  readonly volume: string;
  readonly url: string;
  readonly timeoutMs: number;
  /** How often the module takes its counters anew, and repeats its answer in between: its own `scrape_interval`. */
  readonly intervalMs: number;
  /** Names of the pools that count. */
  readonly pools: readonly string[];
}

/**
 * Rates of the pools that a volume is in, from the manager's Prometheus metrics. Nothing is read while nobody asks. The
 * first to ask waits until the module has taken its counters anew, an interval at most: from then on it is known when
 * it does so, and the counters of any two answers can be compared over the time that really lies between them. Who
 * asks within one interval is told the same. Latencies are those of all OSDs.
 */
export class CephPerformance {
  #last: Reading | undefined;
  #rates: PerformanceMetric | undefined;
  #running: Promise<PerformanceMetric> | undefined;

  constructor(
    private readonly options: CephPerformanceOptions,
    private readonly clock: Clock = { now: () => performance.now(), sleep },
  ) {}

  /** @throws StorageError UNAVAILABLE when the metrics cannot be read, or know none of the pools */
  measure(): Promise<PerformanceMetric> {
    this.#running ??= this.#measure().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #measure(): Promise<PerformanceMetric> {
    const last = this.#last;
    const longestMs = LONGEST_INTERVALS * this.options.intervalMs;
    const isRecent = last !== undefined && this.clock.now() - last.atMs < longestMs;
    return isRecent ? await this.#since(last) : await this.#first();
  }

  /** Waits for counters that are known to be one interval younger than those before. */
  async #first(): Promise<PerformanceMetric> {
    const { intervalMs } = this.options;
    const before = await this.#read();
    this.#poolIds(before);
    let after = before;
    while (after.text === before.text && after.atMs - before.atMs < intervalMs + STEP_MS) {
      await this.clock.sleep(STEP_MS);
      after = await this.#read();
    }
    return this.#keep(before, after, intervalMs);
  }

  /** What is compared with was seen to change, so whole intervals have passed since. */
  async #since(before: Reading): Promise<PerformanceMetric> {
    const { intervalMs } = this.options;
    const now = await this.#read();
    const intervals = Math.floor((now.atMs - before.atMs) / intervalMs);
    const isRepeated = intervals === 0 || now.text === before.text;
    if (isRepeated && intervals < 2 && this.#rates !== undefined) return this.#rates;
    const spanMs = Math.max(1, intervals) * intervalMs;
    return this.#keep(before, { ...now, atMs: before.atMs + spanMs }, spanMs);
  }

  #keep(before: Reading, after: Reading, spanMs: number): PerformanceMetric {
    this.#rates = rates(before, after, spanMs, this.#poolIds(after));
    this.#last = after;
    return this.#rates;
  }

  async #read(): Promise<Reading> {
    const { url, timeoutMs, volume } = this.options;
    try {
      const answer = await fetch(url, {
        signal: AbortSignal.timeout(timeoutMs),
        redirect: 'error',
      });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const samples = parseSamples(await answer.text(), WANTED);
      return { atMs: this.clock.now(), text: JSON.stringify(samples), samples };
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

function rates(
  before: Reading,
  after: Reading,
  spanMs: number,
  pools: ReadonlySet<string>,
): PerformanceMetric {
  const seconds = spanMs / 1000;
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
