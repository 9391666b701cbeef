import { loggerFor } from '../../observability/logger.js';
import type { JobProgress } from './job.js';
import type { JobManifest, JobOwner, JobRecord } from './job-record.js';
import { JobInterruption, type JobAttempt, type JobTask } from './job-task.js';

/** Progress is written, told and asked about at most this often. */
const BEAT_MS = 1_000;

export interface RunOptions {
  readonly owner: JobOwner;
  readonly heartbeatMs: number;
  /** Told of progress, at most once a beat. */
  readonly onProgress: (record: JobRecord) => void;
}

/**
 * Keeps the record of a running job: writes it while it changes, at least every `heartbeatMs` as a sign of
 * life, and notices on the way that the job is to be cancelled or that another host has taken it over.
 */
export class JobRun implements JobAttempt {
  readonly #interruption = new AbortController();
  readonly #log = loggerFor('jobs');
  #record: JobRecord;
  #changed = false;
  #savedAt = performance.now();
  #beat: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly task: JobTask,
    record: JobRecord,
    private readonly options: RunOptions,
  ) {
    this.#record = record;
  }

  get signal(): AbortSignal {
    return this.#interruption.signal;
  }

  get record(): JobRecord {
    return this.#record;
  }

  interrupt(why: JobInterruption['why']): void {
    this.#interruption.abort(new JobInterruption(why));
  }

  start(): void {
    this.#timer = setInterval(() => this.tick(), BEAT_MS);
    this.#timer.unref();
  }

  /** Resolves when nothing is being written any more. Never rejects. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beat;
  }

  advance(progress: Partial<JobProgress>): void {
    this.change({ progress: { ...this.#record.progress, ...progress } });
  }

  note(manifest: Partial<JobManifest>): void {
    this.change({ manifest: { ...this.#record.manifest, ...manifest } as JobManifest });
  }

  async checkpoint(manifest: Partial<JobManifest>): Promise<void> {
    this.note(manifest);
    await this.#beat;
    await this.task.store.save(this.#record, { durable: true });
  }

  async assertOurs(): Promise<void> {
    await this.#beat;
    await this.look();
    this.signal.throwIfAborted();
  }

  /** Before the work: rejects with a JobInterruption when the job was cancelled while it waited. */
  async assertWanted(): Promise<void> {
    await this.heedCancellation();
    this.signal.throwIfAborted();
  }

  /** Whether another host runs the job now, or has ended it, because this one seemed to be dead. */
  async isOvertaken(): Promise<boolean> {
    const { id, takeovers } = this.#record;
    const found = await this.task.store.read(id);
    if (found === undefined) return false;
    return found.takeovers > takeovers || this.isOthers(found.owner);
  }

  private change(changes: Partial<JobRecord>): void {
    this.#record = { ...this.#record, ...changes, updatedAt: new Date() };
    this.#changed = true;
  }

  private tick(): void {
    this.#beat ??= this.beat().finally(() => {
      this.#beat = null;
    });
  }

  /** Never rejects: a record that cannot be written must not stop the job. */
  private async beat(): Promise<void> {
    try {
      const isOvertaken = await this.look();
      const due = performance.now() - this.#savedAt >= this.options.heartbeatMs;
      // One that is cancelled gives signs of life all the same: what it made is removed before its end is told.
      if (isOvertaken || !(this.#changed || due)) return;
      if (due) this.change({});
      this.#changed = false;
      this.options.onProgress(this.#record);
      await this.task.store.save(this.#record, { durable: this.task.isJournaled });
      this.#savedAt = performance.now();
    } catch (error) {
      this.#log.debug('job record was not updated', { job: this.#record.id, err: error });
    }
  }

  /** Interrupts what is not to be run any more; whether it is run by another host. */
  private async look(): Promise<boolean> {
    await this.heedCancellation();
    const isOvertaken = await this.isOvertaken();
    if (isOvertaken) this.interrupt('overtaken');
    return isOvertaken;
  }

  private async heedCancellation(): Promise<void> {
    const { store, isCancellable } = this.task;
    if (isCancellable && (await store.isCancelRequested(this.#record.id))) {
      this.interrupt('cancelled');
    }
  }

  private isOthers(owner: JobOwner | null): boolean {
    return owner !== null && owner.node !== this.options.owner.node;
  }
}
