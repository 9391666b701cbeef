import { loggerFor } from '../../observability/logger.js';
import type { Job } from './job.js';

/**
 * Who is told what becomes of jobs; also the injection token. What is guaranteed to an implementation:
 *
 * - **Ends are told at least once.** Whoever ends a job writes that down first, then calls here, then writes
 *   down that it has told; when a call rejects, or the process dies in between, the calls are made again,
 *   by any worker. Make them idempotent, and resolve only when the message cannot be lost any more.
 * - **In order.** The calls for one job are made one after another: updates, then what happened to the
 *   vfolder, then the end of the job. For one vfolder, calls of a worker do not overlap.
 * - **Updates may be lost.** `jobUpdated` is called at the start of an attempt and at most once a second
 *   while there is progress; its rejection is logged and changes nothing.
 * - Folder events of clones are only told of scoped ids; managers of unscoped ids act on the answer to their
 *   request. Deletions are told of all ids: current managers delete folders of old generations too.
 */
export abstract class JobPublisher {
  abstract jobUpdated(job: Job): Promise<void>;

  /** `job.vfolder` and everything in it is gone. */
  abstract vfolderDeleted(job: Job): Promise<void>;
  /** The deletion has been failing for long. It is not an end: the job goes on trying. */
  abstract vfolderDeletionFailed(job: Job, message: string): Promise<void>;
  /** `job.source` was cloned to `job.vfolder`. */
  abstract cloneSucceeded(job: Job): Promise<void>;
  abstract cloneFailed(job: Job, message: string): Promise<void>;

  abstract jobDone(job: Job, message: string): Promise<void>;
  abstract jobFailed(job: Job, message: string): Promise<void>;
  abstract jobCancelled(job: Job, message: string): Promise<void>;
}

/** Tells the log. */
export class LogJobPublisher extends JobPublisher {
  readonly #log = loggerFor('jobs');

  async jobUpdated(job: Job): Promise<void> {
    this.#log.debug('job is under way', facts(job));
  }

  async vfolderDeleted(job: Job): Promise<void> {
    this.#log.info('vfolder was deleted', facts(job));
  }

  async vfolderDeletionFailed(job: Job, message: string): Promise<void> {
    this.#log.error('vfolder cannot be deleted; trying on', { ...facts(job), reason: message });
  }

  async cloneSucceeded(job: Job): Promise<void> {
    this.#log.info('vfolder was cloned', facts(job));
  }

  async cloneFailed(job: Job, message: string): Promise<void> {
    this.#log.warn('vfolder was not cloned', { ...facts(job), reason: message });
  }

  async jobDone(job: Job, _message: string): Promise<void> {
    this.#log.info('job is done', facts(job));
  }

  async jobFailed(job: Job, message: string): Promise<void> {
    this.#log.error('job failed', { ...facts(job), reason: message });
  }

  async jobCancelled(job: Job, _message: string): Promise<void> {
    this.#log.info('job was cancelled', facts(job));
  }
}

function facts({ id, kind, volume, vfolder, source, progress, attempts }: Job): object {
  const from = source ? { source } : {};
  return { job: id, kind, volume, vfolder, ...from, entries: progress.entries, attempts };
}
