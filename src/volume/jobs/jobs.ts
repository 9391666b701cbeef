import { Inject, Injectable } from '@nestjs/common';
import { fromSystemError } from '../../errors/from-system-error.js';
import { StorageError } from '../../errors/storage-error.js';
import { loggerFor } from '../../observability/logger.js';
import { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { WorkerBus } from '../worker-bus.js';
import { isEnd, jobNotFound, parseJobId, type Job, type JobId } from './job.js';
import { JobFeed } from './job-feed.js';
import { jobOf } from './job-record.js';
import { JobRecovery } from './job-recovery.js';
import { JobRunner } from './job-runner.js';
import { JobStore } from './job-store.js';
import { JobTasks } from './job-tasks.js';
import { watchJob } from './job-watch.js';
import { LeftoverIndex } from './leftover-index.js';

const CANCEL_TOPIC = 'job.cancel';
/** How long a cancellation is waited for before the answer says that it is under way. */
const CANCEL_PATIENCE_MS = 2_000;

/** The jobs of all volumes. Any worker answers for all of them: their records are on the volumes. */
@Injectable()
export class Jobs {
  readonly #log = loggerFor('jobs');
  readonly #draining = new AbortController();

  constructor(
    private readonly registry: VolumeRegistry,
    @Inject(WorkerBus) private readonly bus: WorkerBus,
    private readonly tasks: JobTasks,
    private readonly runner: JobRunner,
    private readonly recovery: JobRecovery,
    private readonly feed: JobFeed,
    private readonly leftovers: LeftoverIndex,
  ) {
    bus.subscribe(CANCEL_TOPIC, (id) => {
      if (typeof id === 'string') this.runner.cancel(id);
    });
  }

  /** Takes up what was left unfinished, and goes on doing so. The volumes need not be usable yet. */
  start(): void {
    this.recovery.start();
  }

  /** Pauses everything within `deadlineMs`, and whoever watches sees no more; it goes on at the next start. */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining.abort();
    this.recovery.stop();
    await this.runner.drain(deadlineMs);
  }

  /** Those that have not ended, and those that have within the retention time; newest first. */
  async list(): Promise<Job[]> {
    const newest = new Map<JobId, Job>();
    const add = (job: Job): void => {
      const known = newest.get(job.id);
      if (known === undefined || isNewer(job, known)) newest.set(job.id, job);
    };
    const perVolume = await Promise.all(this.usable().map((volume) => this.listVolume(volume)));
    for (const job of [...perVolume.flat(), ...this.feed.all()]) add(job);
    return [...newest.values()].toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  }

  /** @throws StorageError NOT_FOUND with subject `job`; UNAVAILABLE while a volume that may have it cannot be asked */
  async get(text: string): Promise<Job> {
    const id = parseJobId(text);
    const job = id === undefined ? undefined : await this.find(id);
    if (job === undefined) throw jobNotFound(text);
    return job;
  }

  /**
   * Stops the job. When it runs, that takes a moment; the job comes back as it is after at most two seconds.
   * A job that was cancelled before stays so.
   *
   * @throws StorageError as `get`; IN_PROGRESS when it has ended, or is the deletion of a
   *   vfolder, which is past its point of no return from the start
   */
  async cancel(text: string): Promise<Job> {
    const job = await this.get(text);
    if (job.state === 'cancelled') return job;
    if (isEnd(job.state)) throw notCancellable('the job has ended');
    if (job.kind === 'delete_vfolder') {
      throw notCancellable('the deletion of a vfolder cannot be stopped');
    }
    const store = new JobStore(this.registry.get(job.volume));
    // Without room for the marker, the worker that runs the job still hears of it.
    await store.requestCancel(job.id).catch((error: unknown) => {
      this.#log.warn('cancellation is not recorded', { job: job.id, err: error });
    });
    const settled = this.untilEnd(job.id);
    this.bus.publish(CANCEL_TOPIC, job.id);
    const record = await store.read(job.id).catch(() => undefined);
    // In case nobody looks after it just now; whoever does holds its lock.
    if (record && !this.runner.has(job.id)) this.runner.submit(this.tasks.of(record));
    await settled;
    return await this.get(job.id);
  }

  /**
   * The job as it is, then whenever it changes, until its end, which comes last. Views may be skipped when
   * they come faster than they are taken. Abort `signal` when nobody watches any more.
   *
   * @throws StorageError as `get`, when the first view is asked for
   */
  async *watch(text: string, signal?: AbortSignal): AsyncGenerator<Job, void, undefined> {
    const { id } = await this.get(text);
    const signals = signal ? [signal, this.#draining.signal] : [this.#draining.signal];
    yield* watchJob(id, {
      feed: this.feed,
      find: () => this.find(id),
      signal: AbortSignal.any(signals),
    });
  }

  private async find(id: JobId): Promise<Job | undefined> {
    const heard = newest(this.runner.find(id), this.feed.heard(id));
    if (this.runner.has(id)) return heard;
    const volumes = this.registry.all();
    const looks = await Promise.allSettled(volumes.map((volume) => this.look(volume, id)));
    const found = looks.find((look) => look.status === 'fulfilled' && look.value !== undefined);
    const recorded = found?.status === 'fulfilled' ? found.value : undefined;
    const job = newest(recorded, heard) ?? (await this.findLeftover(id));
    const failed = looks.find((look) => look.status === 'rejected');
    if (job === undefined && failed) throw failed.reason;
    return job;
  }

  private async look(volume: Volume, id: JobId): Promise<Job | undefined> {
    try {
      // Before it waits for a slot of a volume that may never answer.
      volume.assertUsable();
      const record = await new JobStore(volume).read(id);
      return record && jobOf(record);
    } catch (error) {
      throw fromSystemError(error, { subject: 'volume', volume: volume.name });
    }
  }

  private async findLeftover(id: JobId): Promise<Job | undefined> {
    const found = await Promise.all(this.usable().map((volume) => this.deletions(volume)));
    return found.flat().find((job) => job.id === id);
  }

  private async listVolume(volume: Volume): Promise<Job[]> {
    try {
      const store = new JobStore(volume);
      const records = await store.readAll(await store.ids());
      const recorded = new Set(records.map(({ id }) => id));
      const others = await this.deletions(volume);
      return [...records.map(jobOf), ...others.filter(({ id }) => !recorded.has(id))];
    } catch (error) {
      this.#log.warn('jobs of a volume cannot be listed', { volume: volume.name, err: error });
      return [];
    }
  }

  private async deletions(volume: Volume): Promise<readonly Job[]> {
    return await this.leftovers.deletions(volume).catch(() => []);
  }

  private usable(): Volume[] {
    return this.registry.all().filter((volume) => volume.isUsable);
  }

  private async untilEnd(id: JobId): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, CANCEL_PATIENCE_MS);
      const unwatch = this.feed.watch(id, (job) => {
        if (isEnd(job.state)) done();
      });
      function done(): void {
        clearTimeout(timer);
        unwatch();
        resolve();
      }
    });
  }
}

function newest(a: Job | undefined, b: Job | undefined): Job | undefined {
  return a && b ? (isNewer(b, a) ? b : a) : (a ?? b);
}

/** An end is newer than everything else, whatever the clocks of the workers' hosts say. */
function isNewer(job: Job, than: Job): boolean {
  if (isEnd(job.state) !== isEnd(than.state)) return isEnd(job.state);
  return job.updatedAt > than.updatedAt;
}

function notCancellable(message: string): StorageError {
  return new StorageError('IN_PROGRESS', message, { subject: 'job' });
}
