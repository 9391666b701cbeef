import type { StorageError } from '../../errors/storage-error.js';
import type { Volume } from '../volume.js';
import type { JobProgress } from './job.js';
import { NO_LOCK, type LockOutcome } from './job-lock.js';
import type { JobManifest, JobRecord } from './job-record.js';
import { JobStore } from './job-store.js';

/** Why a running job was stopped; the reason its signal is aborted with. */
export class JobInterruption extends Error {
  override readonly name = 'JobInterruption';

  constructor(
    /** `paused`: the proxy stops, the job goes on at its next start; `overtaken`: another host runs it now. */
    readonly why: 'cancelled' | 'paused' | 'overtaken',
  ) {
    super(`the job was ${why}`);
  }
}

/** One attempt as the work of a job sees it. */
export interface JobAttempt<Manifest extends JobManifest = JobManifest> {
  /** Aborted with a {@link JobInterruption}. */
  readonly signal: AbortSignal;
  readonly record: JobRecord<Manifest>;
  /** Notes what was gone through; written and told at most once a second. */
  advance(progress: Partial<JobProgress>): void;
  /** Notes how far the job has come for whoever resumes it; written with the progress. */
  note(manifest: Partial<Manifest>): void;
  /** The same, but on stable storage when it resolves. */
  checkpoint(manifest: Partial<Manifest>): Promise<void>;
  /** Before what cannot be undone: rejects with a JobInterruption when the job is no longer ours to run. */
  assertOurs(): Promise<void>;
}

/**
 * The work of one job of one kind. The runner does the rest: it holds the lock while `run`, `undo` and
 * `finish` are called, writes the record, tells the publisher, and tries again.
 */
export abstract class JobTask<Manifest extends JobManifest = JobManifest> {
  readonly store: JobStore;

  constructor(
    /** The volume the job runs and is recorded on. */
    readonly volume: Volume,
    /** As it was when the task was made; a record on the volume may be newer. */
    readonly record: JobRecord<Manifest>,
  ) {
    this.store = new JobStore(volume);
  }

  /** Whether it may be stopped before its end. */
  abstract readonly isCancellable: boolean;

  /**
   * Whether the record is what survives a crash, and so must be durable; without it there is no job. A
   * deletion needs none: the trash, whose names carry everything, is its journal.
   */
  abstract readonly isJournaled: boolean;

  /** Takes the right to run the job. Does not wait. */
  abstract lock(): Promise<LockOutcome>;

  /** Does the work, or the rest of it: an earlier attempt may have ended anywhere. */
  abstract run(attempt: JobAttempt<Manifest>): Promise<void>;

  /** Removes what a job that failed or was cancelled left behind. May be repeated. */
  async undo(_record: JobRecord<Manifest>): Promise<void> {
    // Most jobs have nothing to undo.
  }

  /** Removes the journal, once the end was published. May be repeated. */
  async finish(_record: JobRecord<Manifest>): Promise<void> {
    // Most jobs have no journal but their record, which stays listed.
  }

  /** Whether the job is tried again after this failure, the `failures`-th in a row. */
  abstract isWorthRetrying(error: StorageError, failures: number): boolean;
}

/** A job with nothing to do: what it is about was gone from the start, or is on the noop volume. */
export class NothingToDo extends JobTask {
  readonly isCancellable = false;
  readonly isJournaled = false;

  async lock(): Promise<LockOutcome> {
    return NO_LOCK;
  }

  async run(): Promise<void> {
    // It is done.
  }

  isWorthRetrying(): boolean {
    return true;
  }
}
