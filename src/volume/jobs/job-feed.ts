import { Inject, Injectable } from '@nestjs/common';
import { WorkerBus, type JsonValue } from '../worker-bus.js';
import type { Job, JobId } from './job.js';
import { reviveJob } from './job-json.js';

const TOPIC = 'job.updated';
/** Jobs remembered that were heard of; those that matter are recorded on their volume as well. */
const MEMORY = 2_000;

/**
 * What workers tell each other of their jobs: the newest view of each, and a call for whoever watches one.
 * Best effort, as the bus is: records are where jobs are looked up, this only makes it quicker, and covers
 * jobs whose record could not be written.
 */
@Injectable()
export class JobFeed {
  readonly #heard = new Map<JobId, Job>();
  readonly #watchers = new Map<JobId, Set<(job: Job) => void>>();

  constructor(@Inject(WorkerBus) private readonly bus: WorkerBus) {
    bus.subscribe(TOPIC, (payload) => {
      const job = reviveJob(payload);
      if (job) this.hear(job);
    });
  }

  /** Tells all workers; this one at once. */
  tell(job: Job): void {
    this.hear(job);
    // Dates become text.
    this.bus.publish(TOPIC, JSON.parse(JSON.stringify(job)) as JsonValue);
  }

  heard(id: JobId): Job | undefined {
    return this.#heard.get(id);
  }

  all(): Job[] {
    return [...this.#heard.values()];
  }

  forget(id: JobId): void {
    this.#heard.delete(id);
  }

  /** Returns the way to end it. */
  watch(id: JobId, listener: (job: Job) => void): () => void {
    const listeners = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#watchers.delete(id);
    };
  }

  private hear(job: Job): void {
    const known = this.#heard.get(job.id);
    if (known && known.updatedAt > job.updatedAt) return;
    // Written anew, so that the map's order is that of the last news.
    this.#heard.delete(job.id);
    this.#heard.set(job.id, job);
    if (this.#heard.size > MEMORY) this.#heard.delete(this.#heard.keys().next().value!);
    for (const listener of this.#watchers.get(job.id) ?? []) listener(job);
  }
}
