import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { PerformanceMetric } from '../../backend/contract/telemetry.js';
import { isStorageError, StorageError } from '../../errors/storage-error.js';
import { loggerFor } from '../../observability/logger.js';
import {
  countFailedObservation,
  countObservation,
  observeVolume,
} from '../../observability/metrics.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { WorkerBus } from '../worker-bus.js';
import { StatisticsStore, type Observed } from './statistics-store.js';

const TOPIC = 'volume.observed';

/** A store that is slower than this is slower than asking the storage system. */
const STORE_PATIENCE_MS = 500;

const log = loggerFor('statistics');

/**
 * What volumes measure of themselves, where their backend does. One worker of a process group reads it every
 * so often, so that requests are answered and metrics are filled without asking the storage system each time;
 * with a store, one proxy of a site does for all.
 */
@Injectable()
export class VolumeStatistics {
  readonly #known = new Map<string, Observed>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly registry: VolumeRegistry,
    private readonly bus: WorkerBus,
    private readonly store: StatisticsStore,
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
  ) {
    bus.subscribe(TOPIC, (message) => {
      const { volume, metric, observedAt } = message as unknown as Told;
      this.learn(volume, { metric, observedAt: new Date(observedAt) });
    });
  }

  /** Begins to read periodically. For one worker of the group. */
  start(): void {
    const { observeIntervalMs } = this.settings.volumeStats;
    this.#timer ??= setInterval(() => void this.observeAll(), observeIntervalMs).unref();
    void this.observeAll();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * The last reading while it is fresh, else a new one.
   *
   * @throws StorageError UNSUPPORTED where the backend measures nothing; UNAVAILABLE
   */
  async get(name: string): Promise<Observed> {
    const volume = this.registry.get(name);
    const known = this.#known.get(name);
    if (known && this.ageMs(known) < this.settings.volumeStats.cacheTtlMs && volume.isUsable) {
      return known;
    }
    if (!volume.strategies.telemetry.measuresPerformance) return await this.measure(volume);
    return (await this.shared(name)) ?? (await this.observe(volume));
  }

  /** Never rejects. */
  private async observeAll(): Promise<void> {
    const measuring = this.registry
      .all()
      .filter((volume) => volume.isUsable && volume.strategies.telemetry.measuresPerformance);
    await Promise.all(measuring.map((volume) => this.observeUnlessFresh(volume)));
  }

  private async observeUnlessFresh(volume: Volume): Promise<void> {
    try {
      const shared = await this.shared(volume.name);
      // Of another proxy: a little early is better than every other time.
      if (shared && this.ageMs(shared) < this.settings.volumeStats.observeIntervalMs * 0.9) {
        this.tell(volume.name, shared);
      } else await this.observe(volume);
    } catch (error) {
      log.warn('A volume could not be observed', { volume: volume.name, err: error });
    }
  }

  private async observe(volume: Volume): Promise<Observed> {
    const observed = await this.measure(volume);
    this.tell(volume.name, observed);
    this.store
      .write(volume.name, observed, this.settings.volumeStats.cacheTtlMs)
      .catch((error: unknown) => log.debug('A reading was not shared', { err: error }));
    return observed;
  }

  private async measure(volume: Volume): Promise<Observed> {
    const started = performance.now();
    try {
      const metric = await volume.run('volume.performance-metric', () =>
        this.inTime(volume, volume.strategies.telemetry.performanceMetric()),
      );
      countObservation(volume.name, (performance.now() - started) / 1_000);
      return { metric, observedAt: new Date() };
    } catch (error) {
      if (!isStorageError(error, 'UNSUPPORTED')) countFailedObservation(volume.name);
      throw error;
    }
  }

  /** Sooner than other operations: the next reading is due soon anyway. */
  private async inTime(
    volume: Volume,
    reading: Promise<PerformanceMetric>,
  ): Promise<PerformanceMetric> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const details = { subject: 'volume', volume: volume.name } as const;
        reject(new StorageError('UNAVAILABLE', 'the storage system measures too slowly', details));
      }, this.settings.volumeStats.observeTimeoutMs);
    });
    try {
      return await Promise.race([reading, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async shared(name: string): Promise<Observed | null> {
    const patience = new AbortController();
    const nothing = sleep(STORE_PATIENCE_MS, null, { ref: false, signal: patience.signal });
    try {
      return await Promise.race([this.store.read(name), nothing]);
    } catch {
      return null;
    } finally {
      nothing.catch(() => undefined);
      patience.abort();
    }
  }

  private tell(volume: string, { metric, observedAt }: Observed): void {
    this.learn(volume, { metric, observedAt });
    this.bus.publish(TOPIC, {
      volume,
      metric: { ...metric },
      observedAt: observedAt.toISOString(),
    });
  }

  private learn(volume: string, observed: Observed): void {
    const known = this.#known.get(volume);
    if (known && known.observedAt >= observed.observedAt) return;
    this.#known.set(volume, observed);
    observeVolume(volume, { ...observed.metric }, observed.observedAt);
  }

  private ageMs({ observedAt }: Observed): number {
    return Date.now() - observedAt.getTime();
  }
}

interface Told {
  readonly volume: string;
  readonly metric: PerformanceMetric;
  readonly observedAt: string;
}
