import type { JobId } from './job.js';
import type { JobRecord } from './job-record.js';

interface Sighting {
  readonly updatedAt: number;
  /** On this process's monotonic clock: clocks of other hosts may be wrong. */
  readonly seenAtMs: number;
}

/**
 * Decides whether a job that another host runs may be taken over: when its record, which its owner writes
 * anew as a sign of life, has not changed for long enough. Jobs of this host need no such patience, since the
 * lock of a dead process is free at once.
 */
export class Takeover {
  readonly #sightings = new Map<JobId, Sighting>();

  constructor(
    private readonly node: string,
    private readonly expiredAfterMs: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  allows(record: JobRecord): boolean {
    const { id, owner, state } = record;
    if (state !== 'running' || owner === null || owner.node === this.node) {
      this.#sightings.delete(id);
      return true;
    }
    const updatedAt = record.updatedAt.getTime();
    const last = this.#sightings.get(id);
    if (last?.updatedAt === updatedAt) return this.nowMs() - last.seenAtMs >= this.expiredAfterMs;
    this.#sightings.set(id, { updatedAt, seenAtMs: this.nowMs() });
    return false;
  }

  forget(id: JobId): void {
    this.#sightings.delete(id);
  }
}
