import { Inject, Injectable } from '@nestjs/common';
import type { StorageError } from '../../errors/storage-error.js';
import { loggerFor } from '../../observability/logger.js';
import { countFinishedJob } from '../../observability/metrics.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import { auditJobEnd } from './audit-job-end.js';
import { InOrder } from './in-order.js';
import { isElsewhere } from './is-elsewhere.js';
import { isEnd, type JobError } from './job.js';
import { asStorageError, ended, isAnnounced, jobError, publishEnd, type End } from './job-ends.js';
import { JobFeed } from './job-feed.js';
import { JobPublisher } from './job-publisher.js';
import { jobOf, type JobOwner, type JobRecord } from './job-record.js';
import { JobRun } from './job-run.js';
import { JobInterruption, type JobTask } from './job-task.js';
import { retryDelayMs } from './retry.js';

/** With the delays of `retry.ts`, about half an hour of failing. */
const ALARMING_FAILURES = 12;

/** What came of looking after a job once. */
export type Outcome =
  /** It has ended, which is published, and nothing of it is left but its record. */
  | { readonly kind: 'ended'; readonly record: JobRecord }
  /** It failed, or its end could not be published: to be looked after again at `record.retryAt`. */
  | { readonly kind: 'later'; readonly record: JobRecord; readonly error: StorageError }
  /** The proxy stops. */
  | { readonly kind: 'paused'; readonly record: JobRecord }
  /** Another worker or host runs it. */
  | { readonly kind: 'elsewhere' }
  /** There is no such job any more. */
  | { readonly kind: 'gone' };

/**
 * Looks after one job at a time: takes its lock, attempts its work, writes down and publishes its end, and
 * removes what it needed. Whatever point a crash interrupts this at, doing it again comes to the same end.
 */
@Injectable()
export class JobExecution {
  readonly #log = loggerFor('jobs');
  readonly #owner: JobOwner;
  /** For the publisher, which is told of one vfolder's jobs one after another. */
  readonly #perFolder = new InOrder();

  constructor(
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
    @Inject(JobPublisher) private readonly publisher: JobPublisher,
    private readonly feed: JobFeed,
  ) {
    this.#owner = { node: settings.nodeId, pid: process.pid };
  }

  /** `known` is the newest record the caller has; `onRun` is told when the work can be interrupted. Never rejects. */
  async execute(
    task: JobTask,
    known: JobRecord,
    onRun: (run: JobRun | null) => void,
  ): Promise<Outcome> {
    let record = known;
    try {
      const lock = await task.lock();
      if (lock === 'held') return { kind: 'elsewhere' };
      if (lock === 'gone') return await this.vanished(task);
      try {
        const latest = await this.latest(task, known);
        if (latest === undefined) return { kind: 'gone' };
        record = latest;
        const { takeovers } = task.record;
        if (isElsewhere(task, latest, this.#owner.node)) return { kind: 'elsewhere' };
        const isTakeover = takeovers > latest.takeovers;
        return await this.executeLocked(task, { ...latest, takeovers }, { isTakeover, onRun });
      } finally {
        await lock.release();
      }
    } catch (error) {
      return this.later(record, asStorageError(error, record));
    }
  }

  private async executeLocked(
    task: JobTask,
    record: JobRecord,
    { isTakeover, onRun }: { isTakeover: boolean; onRun: (run: JobRun | null) => void },
  ): Promise<Outcome> {
    if (isEnd(record.state)) return await this.conclude(task, record);
    const started = this.started(record);
    await this.writeStart(task, started, { isTakeover });
    const run = new JobRun(task, started, {
      owner: this.#owner,
      heartbeatMs: this.settings.jobs.heartbeatMs,
      onProgress: (progressed) => this.tellProgress(progressed),
    });
    onRun(run);
    run.start();
    try {
      await run.assertWanted();
      this.tellProgress(started);
      await task.run(run);
      return await this.end(task, run, 'done');
    } catch (error) {
      return await this.stopped(task, run, error);
    } finally {
      onRun(null);
      await run.stop();
    }
  }

  /** The work of an attempt was interrupted, or failed. */
  private async stopped(task: JobTask, run: JobRun, cause: unknown): Promise<Outcome> {
    const { record, signal } = run;
    const why = signal.reason instanceof JobInterruption ? signal.reason.why : null;
    // It may have failed because another host does it. While that cannot be found out nothing is told or written.
    if (why === 'overtaken' || (await run.isOvertaken())) return this.overtaken(record);
    if (why === 'paused') return await this.pause(task, run);
    if (why === 'cancelled') return await this.undone(task, run, 'cancelled');
    const error = asStorageError(cause, record);
    const failures = record.failures + 1;
    const level = error.code === 'INTERNAL' ? 'error' : 'warn';
    this.#log[level]('job attempt failed', { job: record.id, kind: record.kind, err: cause });
    if (!task.isWorthRetrying(error, failures)) {
      return await this.undone(task, run, 'failed', jobError(error));
    }
    await run.stop();
    const outcome = this.later(run.record, error);
    await this.write(task, outcome.record);
    this.feed.tell(jobOf(outcome.record));
    if (record.kind === 'delete_vfolder' && failures === ALARMING_FAILURES) {
      await this.alarm(outcome.record, error);
    }
    return outcome;
  }

  /**
   * Gives signs of life meanwhile. What cannot be removed now is an orphan that the next scan removes; the end
   * does not wait for it.
   */
  private async undone(
    task: JobTask,
    run: JobRun,
    state: 'failed' | 'cancelled',
    error: JobError | null = null,
  ): Promise<Outcome> {
    await this.quietly(task.undo(run.record));
    return await this.end(task, run, state, error);
  }

  /** The sign of life ends here, and with it the right to tell the end: it is ours unless it was lost before. */
  private async end(
    task: JobTask,
    run: JobRun,
    state: End,
    error: JobError | null = null,
  ): Promise<Outcome> {
    await run.stop();
    if (await run.isOvertaken()) return this.overtaken(run.record);
    return await this.conclude(task, ended(run.record, state, error));
  }

  private overtaken({ id, kind }: JobRecord): Outcome {
    this.#log.warn('another host has taken the job over', { job: id, kind });
    return { kind: 'elsewhere' };
  }

  private async pause(task: JobTask, run: JobRun): Promise<Outcome> {
    await run.stop();
    const paused: JobRecord = {
      ...run.record,
      state: 'pending',
      owner: null,
      updatedAt: new Date(),
    };
    await this.write(task, paused);
    return { kind: 'paused', record: paused };
  }

  /** Writes the end down, publishes it, and only then removes the journal that would bring it up again. */
  private async conclude(task: JobTask, end: JobRecord): Promise<Outcome> {
    let record = end;
    try {
      if (!record.published) {
        await this.write(task, record);
        await this.publish(record);
        record = { ...record, published: true };
        await this.write(task, record);
        countFinishedJob(record.volume, record.kind, record.state);
        auditJobEnd(record);
      }
      await task.finish(record);
    } catch (error) {
      this.#log.warn('job has ended, but not everybody knows', { job: record.id, err: error });
      const outcome = this.later(record, asStorageError(error, record));
      await this.write(task, outcome.record);
      return outcome;
    }
    await this.quietly(task.store.tidy(record));
    this.feed.tell(jobOf(record));
    return { kind: 'ended', record };
  }

  private async publish(record: JobRecord): Promise<void> {
    const telling = this.#perFolder.run(record.vfolder, () => publishEnd(this.publisher, record));
    if (isAnnounced(record)) await telling;
    else await this.quietly(telling);
  }

  private tellProgress(record: JobRecord): void {
    const job = jobOf(record);
    this.feed.tell(job);
    void this.quietly(this.#perFolder.run(record.vfolder, () => this.publisher.jobUpdated(job)));
  }

  private async alarm(record: JobRecord, error: StorageError): Promise<void> {
    if (!isAnnounced(record)) return;
    await this.quietly(this.publisher.vfolderDeletionFailed(jobOf(record), error.message));
  }

  /** The journal of a deletion is gone: it has ended, and with a record that says so, all is said. */
  private async vanished(task: JobTask): Promise<Outcome> {
    const record = await task.store.read(task.record.id);
    if (record === undefined) return { kind: 'gone' };
    return await this.conclude(task, isEnd(record.state) ? record : ended(record, 'done'));
  }

  private async latest(task: JobTask, known: JobRecord): Promise<JobRecord | undefined> {
    const stored = await task.store.read(known.id);
    if (isEnd(known.state)) {
      // The end of an attempt whose record could not be written; or of one that somebody else has published since
      // it was read, whose lock is free only now.
      return stored?.published ? stored : known;
    }
    return stored ?? (task.isJournaled ? undefined : known);
  }

  private started(record: JobRecord): JobRecord {
    const now = new Date();
    return {
      ...record,
      state: 'running',
      startedAt: record.startedAt ?? now,
      updatedAt: now,
      attempts: record.attempts + 1,
      owner: this.#owner,
      retryAt: null,
    };
  }

  private later(record: JobRecord, error: StorageError): Extract<Outcome, { kind: 'later' }> {
    const failures = record.failures + 1;
    const now = new Date();
    const waiting: JobRecord = {
      ...record,
      // An end that is not published stays one.
      state: isEnd(record.state) ? record.state : 'pending',
      error: isEnd(record.state) ? record.error : jobError(error),
      failures,
      owner: null,
      updatedAt: now,
      retryAt: new Date(now.getTime() + retryDelayMs(failures)),
    };
    return { kind: 'later', record: waiting, error };
  }

  /**
   * By the record of a takeover the host before learns that it was overtaken: without it both would run. Sweeping
   * the trash together does no harm, and makes room for the record.
   */
  private async writeStart(
    task: JobTask,
    started: JobRecord,
    { isTakeover }: { isTakeover: boolean },
  ): Promise<void> {
    if (isTakeover && task.isJournaled) await task.store.save(started, { durable: true });
    else await this.write(task, started);
  }

  /** Best effort: a full volume must not keep jobs from running, least of all those that make room. */
  private async write(task: JobTask, record: JobRecord): Promise<void> {
    await this.quietly(task.store.save(record, { durable: task.isJournaled }));
  }

  private async quietly(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#log.warn('part of the bookkeeping of a job failed', { err: error });
    }
  }
}
