import type { JobId } from './job.js';
import type { JobRecord } from './job-record.js';

interface Sighting {
  readonly updatedAt: number;
  /** On this process's monotonic clock: clocks of other hosts may be wrong. */
  readonly seenAtMs: number;
}

/** What may be done with a job: run it, run it although a dead host may still have its lock, or leave it alone. */
export type Permission = 'run' | 'take-over' | 'leave';

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

  permits(record: JobRecord): Permission {
    const { id, owner, state } = record;
    if (state !== 'running' || owner === null || owner.node === this.node) {
      this.#sightings.delete(id);
      return 'run';
    }
    const updatedAt = record.updatedAt.getTime();
    const last = this.#sightings.get(id);
    if (last?.updatedAt === updatedAt) return this.leftMs(last) <= 0 ? 'take-over' : 'leave';
    this.#sightings.set(id, { updatedAt, seenAtMs: this.nowMs() });
    return 'leave';
  }

  /** When the next job may have to be taken over; `undefined` when none is in sight. */
  dueInMs(): number | undefined {
    const left = [...this.#sightings.values()].map((sighting) => this.leftMs(sighting));
    const ahead = left.filter((ms) => ms > 0);
    return ahead.length === 0 ? undefined : Math.min(...ahead);
  }

  forget(id: JobId): void {
    this.#sightings.delete(id);
  }

  private leftMs({ seenAtMs }: Sighting): number {
    return this.expiredAfterMs - (this.nowMs() - seenAtMs);
  }
}
