import { loggerFor } from '../../observability/logger.js';
import { VFolderId } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import { isEnd, type JobId } from './job.js';
import { isKind, newRecord, type JobRecord } from './job-record.js';
import type { JobRunner } from './job-runner.js';
import { JobStore } from './job-store.js';
import type { JobTasks } from './job-tasks.js';
import { scanJournal, type Leftover } from './journal-scan.js';
import type { Takeover } from './takeover.js';

/** A clone whose destination was not reserved by then was never promised to anybody. */
const REGISTRATION_MS = 60_000;

/** At the records alone, or at those and the whole volume. */
export type Look = 'records' | 'journal';

export interface RecoveryOptions {
  readonly tasks: JobTasks;
  readonly runner: JobRunner;
  readonly takeover: Takeover;
  readonly retentionMs: number;
  readonly isStopped: () => boolean;
}

/**
 * Finds the jobs of one volume that have not come to their end, and hands them to the runner; forgets those
 * whose end is long past; removes what jobs left that are no more.
 *
 * Several workers may do this at a time: jobs have locks, and everything else may be done twice.
 */
export class VolumeRecovery {
  readonly #log = loggerFor('jobs');
  readonly #store: JobStore;
  /** Ended and published: not to be read again until they are to be forgotten. */
  readonly #settled = new Map<JobId, number>();
  #running: Promise<void> | null = null;
  #again: Look | null = null;

  constructor(
    private readonly volume: Volume,
    private readonly options: RecoveryOptions,
  ) {
    this.#store = new JobStore(volume);
  }

  /** Looks through the records, or through those and the whole volume; once more if it is at it already. */
  async look(what: Look): Promise<void> {
    if (this.#running) {
      if (what === 'journal') this.#again = what;
      return await this.#running;
    }
    this.#running = this.lookThrough(what);
    try {
      await this.#running;
    } finally {
      this.#running = null;
    }
  }

  private async lookThrough(first: Look): Promise<void> {
    for (let what: Look | null = first; what !== null; what = this.#again) {
      this.#again = null;
      await this.records();
      if (what === 'records') continue;
      await this.journal();
      await this.#store.sweepTemporaries();
    }
  }

  private async records(): Promise<void> {
    const ids = await this.#store.ids();
    const present = new Set(ids);
    for (const id of this.#settled.keys()) if (!present.has(id)) this.#settled.delete(id);
    const open = ids.filter((id) => !this.#settled.has(id));
    for (const record of await this.#store.readAll(open)) {
      if (this.options.isStopped()) return;
      if (isEnd(record.state) && record.published) {
        this.#settled.set(record.id, (record.endedAt ?? record.updatedAt).getTime());
      } else await this.resume(record);
    }
    await this.forgetOld();
  }

  private async resume(record: JobRecord): Promise<void> {
    const { runner, tasks } = this.options;
    const due = this.due(record);
    if (due === undefined || (await this.isUnpromised(due))) return;
    runner.submit(tasks.of(due));
  }

  /** The record to go on with; `undefined` when it is not the time, or not for us, to do so. */
  private due<Record extends JobRecord>(record: Record): Record | undefined {
    const { id, retryAt, takeovers } = record;
    if (this.options.runner.has(id)) return undefined;
    if (retryAt !== null && retryAt.getTime() > Date.now()) return undefined;
    const permission = this.options.takeover.permits(record);
    if (permission === 'leave') return undefined;
    if (permission === 'run') return record;
    this.#log.warn('taking a job over from a host that gives no sign of life', {
      job: id,
      host: record.owner?.node,
    });
    return { ...record, takeovers: takeovers + 1 };
  }

  /** The request for this clone was cut off before its answer, and another one may have come instead. */
  private async isUnpromised(record: JobRecord): Promise<boolean> {
    if (!isKind(record, 'clone_vfolder') || isEnd(record.state)) return false;
    const destination = VFolderId.parse(record.vfolder);
    if (destination.scope === null || record.attempts > 0) return false;
    if ((await this.#store.destinationClaim(destination)) === record.id) return false;
    if (Date.now() - record.createdAt.getTime() > REGISTRATION_MS) {
      await this.#store.remove(record.id);
    }
    return true;
  }

  private async forgetOld(): Promise<void> {
    const deadline = Date.now() - this.options.retentionMs;
    for (const [id, endedAt] of this.#settled) {
      if (endedAt > deadline) continue;
      const record = await this.#store.read(id);
      if (record && isKind(record, 'clone_vfolder')) {
        await this.#store.releaseDestination(VFolderId.parse(record.vfolder), id);
      }
      await this.#store.remove(id);
      this.options.takeover.forget(id);
      this.#settled.delete(id);
    }
  }

  private async journal(): Promise<void> {
    const lock = await this.#store.lockForScan();
    if (lock === null) return;
    try {
      for await (const leftover of scanJournal(this.volume.strategies.trees)) {
        if (this.options.isStopped()) return;
        if (leftover.kind === 'deletion') await this.resumeDeletion(leftover);
        else await this.removeOrphan(leftover);
      }
    } finally {
      await lock.release();
    }
  }

  private async resumeDeletion(leftover: Extract<Leftover, { kind: 'deletion' }>): Promise<void> {
    const { jobId, vfolder } = leftover.name;
    const record =
      (await this.#store.read(jobId)) ??
      newRecord({
        id: jobId,
        volume: this.volume.name,
        vfolder: vfolder.toString(),
        manifest: { kind: 'delete_vfolder', place: leftover.place, inode: null },
      });
    if (isKind(record, 'delete_vfolder')) await this.resume(record);
  }

  /** A record is written before anything is staged and lasts until its clone has ended. */
  private async removeOrphan(staged: Extract<Leftover, { kind: 'staging' }>): Promise<void> {
    const record = await this.#store.read(staged.jobId);
    if (record && !isEnd(record.state)) return;
    this.#log.info('removing what a clone left behind', { job: staged.jobId });
    await this.volume.strategies.trees.remove({ path: staged.path });
  }
}
