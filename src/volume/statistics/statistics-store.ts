import type { PerformanceMetric } from '../../backend/contract/telemetry.js';

/** A reading of a volume's performance. */
export interface Observed {
  readonly metric: PerformanceMetric;
  readonly observedAt: Date;
}

/** Readings that all proxies of a site share. Best effort: rejects when it cannot be reached. Also the injection token. */
export abstract class StatisticsStore {
  /** `null` when there is none that is fresh. */
  abstract read(volume: string): Promise<Observed | null>;
  abstract write(volume: string, observed: Observed, ttlMs: number): Promise<void>;
}

/** For proxies that share nothing. */
export class NoStatisticsStore extends StatisticsStore {
  async read(): Promise<null> {
    return null;
  }

  async write(): Promise<void> {
    // Nobody else reads it.
  }
}
