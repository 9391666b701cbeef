import { Inject, Injectable } from '@nestjs/common';
import { StorageError } from '../../errors/storage-error.js';
import { setJobs } from '../../observability/metrics.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import { JOB_KINDS, type Job, type JobId } from './job.js';
import { JobExecution, type Outcome } from './job-execution.js';
import { JobQueue } from './job-queue.js';
import { jobOf, type JobRecord } from './job-record.js';
import type { JobRun } from './job-run.js';
import type { JobTask } from './job-task.js';

/** How soon a job is looked at again that another worker holds and a request waits for. */
const HELD_ELSEWHERE_MS = 250;
/** The part of the time to stop in that a job may use to end for the request that waits for it. */
const PATIENCE_WITH_REQUESTS = 0.8;

interface Waiter {
  resolve(job: Job): void;
  reject(error: Error): void;
}

/** A job this worker looks after: it runs, waits for its turn, or for its next attempt. */
interface ActiveJob {
  readonly task: JobTask;
  record: JobRecord;
  run: JobRun | null;
  busy: boolean;
  retry?: NodeJS.Timeout;
  /** Requests that are answered when the job has ended. */
  readonly waiters: Set<Waiter>;
}

/**
 * The jobs of this worker: at most so many at a time on one volume, again and again until each has ended.
 * Several workers may have the same job in mind; its lock decides who runs it.
 */
@Injectable()
export class JobRunner {
  readonly #active = new Map<JobId, ActiveJob>();
  readonly #queues = new Map<string, JobQueue>();
  readonly #idle = new Set<() => void>();
  #draining = false;

  constructor(
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
    private readonly execution: JobExecution,
  ) {}

  /** Runs the job when it is its turn; once is enough, repeating does no harm. */
  submit(task: JobTask): void {
    this.activate(task);
  }

  /**
   * The same, resolving when the job has ended. It is looked at again by itself after a failure, but whoever
   * waits is told of the first one.
   *
   * @throws StorageError of the first failed attempt, or UNAVAILABLE when the proxy stops
   */
  complete(task: JobTask): Promise<Job> {
    return new Promise((resolve, reject) => {
      const active = this.activate(task);
      if (active) active.waiters.add({ resolve, reject });
      else reject(stopping(task.volume.name));
    });
  }

  /** The newest view of a job this worker looks after. */
  find(id: JobId): Job | undefined {
    const active = this.#active.get(id);
    return active && jobOf(active.run?.record ?? active.record);
  }

  has(id: JobId): boolean {
    return this.#active.has(id);
  }

  /**
   * Stops the attempt that is under way here, and looks at once after a job that waits. What is to become of
   * it says the marker on the volume, which is there before.
   */
  cancel(id: JobId): void {
    const active = this.#active.get(id);
    if (!active?.task.isCancellable) return;
    if (active.run) active.run.interrupt('cancelled');
    else void this.turn(active);
  }

  /**
   * Starts nothing more and pauses what runs; all of it is gone on with at the next start. What a request waits
   * for may end if it does in time. Resolves when nothing runs any more, or after `deadlineMs`.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    for (const queue of this.#queues.values()) queue.close();
    for (const active of this.#active.values()) {
      if (!active.busy) this.release(active, stopping(active.task.volume.name));
      else if (active.waiters.size === 0) active.run?.interrupt('paused');
    }
    if (this.#active.size === 0) return;
    const patience = setTimeout(() => this.pauseAll(), deadlineMs * PATIENCE_WITH_REQUESTS);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#idle.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    clearTimeout(patience);
  }

  private pauseAll(): void {
    for (const { run } of this.#active.values()) run?.interrupt('paused');
  }

  private activate(task: JobTask): ActiveJob | undefined {
    const { id } = task.record;
    const known = this.#active.get(id);
    if (known || this.#draining) return known;
    const active: ActiveJob = {
      task,
      record: task.record,
      run: null,
      busy: false,
      waiters: new Set(),
    };
    this.#active.set(id, active);
    this.enqueue(active);
    this.count(task.volume.name);
    return active;
  }

  private enqueue(active: ActiveJob): void {
    this.queueOf(active.task.volume.name).add(() => this.turn(active));
  }

  private queueOf(volume: string): JobQueue {
    const queue = this.#queues.get(volume) ?? new JobQueue(this.settings.jobs.concurrency);
    this.#queues.set(volume, queue);
    return queue;
  }

  private async turn(active: ActiveJob): Promise<void> {
    if (active.busy || this.#active.get(active.record.id) !== active) return;
    clearTimeout(active.retry);
    if (this.#draining) return this.release(active, stopping(active.task.volume.name));
    active.busy = true;
    const outcome = await this.execution.execute(active.task, active.record, (run) => {
      active.run = run;
      if (this.#draining && active.waiters.size === 0) run?.interrupt('paused');
      this.count(active.task.volume.name);
    });
    active.busy = false;
    this.settle(active, outcome);
  }

  private settle(active: ActiveJob, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'ended':
        return this.end(active, jobOf(outcome.record));
      case 'gone':
        return this.end(active, { ...jobOf(active.record), state: 'done' });
      case 'paused':
        return this.release(active, stopping(active.task.volume.name));
      case 'elsewhere':
        if (active.waiters.size === 0) return this.release(active);
        return this.again(active, HELD_ELSEWHERE_MS);
      case 'later':
        active.record = outcome.record;
        this.answer(active, (waiter) => waiter.reject(outcome.error));
        // Removed from the configuration, or reopened with other settings: its recovery brings the job up.
        if (active.task.volume.state.kind === 'closed') return this.release(active);
        return this.again(active, (outcome.record.retryAt?.getTime() ?? 0) - Date.now());
    }
  }

  private again(active: ActiveJob, delayMs: number): void {
    if (this.#draining) return this.release(active, stopping(active.task.volume.name));
    active.retry = setTimeout(() => this.enqueue(active), Math.max(0, delayMs));
    active.retry.unref();
    this.count(active.task.volume.name);
  }

  private end(active: ActiveJob, job: Job): void {
    this.answer(active, (waiter) =>
      job.state === 'done' ? waiter.resolve(job) : waiter.reject(failure(job)),
    );
    this.release(active);
  }

  /** Looks after the job no more; `reason` is for whoever waits for it. */
  private release(active: ActiveJob, reason?: Error): void {
    clearTimeout(active.retry);
    if (reason) this.answer(active, (waiter) => waiter.reject(reason));
    this.#active.delete(active.record.id);
    this.count(active.task.volume.name);
    if (this.#active.size === 0) for (const idle of this.#idle) idle();
  }

  private answer(active: ActiveJob, tell: (waiter: Waiter) => void): void {
    for (const waiter of active.waiters) tell(waiter);
    active.waiters.clear();
  }

  private count(volume: string): void {
    const here = [...this.#active.values()].filter(({ task }) => task.volume.name === volume);
    for (const kind of JOB_KINDS) {
      const ofKind = here.filter(({ task }) => task.record.kind === kind);
      const running = ofKind.filter(({ run }) => run !== null).length;
      setJobs(volume, kind, 'running', running);
      setJobs(volume, kind, 'pending', ofKind.length - running);
    }
  }
}

function stopping(volume: string): StorageError {
  return new StorageError('UNAVAILABLE', 'the proxy is stopping; the job goes on when it is back', {
    subject: 'volume',
    volume,
  });
}

function failure({ state, error, volume, vfolder }: Job): StorageError {
  if (state === 'cancelled') {
    return new StorageError('UNAVAILABLE', 'the job was cancelled', { subject: 'job' });
  }
  const { code = 'INTERNAL', message } = error ?? {};
  return new StorageError(code, message, { subject: 'vfolder', volume, vfid: vfolder });
}
