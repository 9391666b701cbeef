import cluster from 'node:cluster';
import type { WorkerState } from '../../health/process-group.js';
import { loggerFor } from '../../observability/logger.js';
import { WORKER_DIED } from '../../volume/worker-bus.js';
import type { MetricsSnapshot, PrimarySpeech, WorkerBrief, WorkerLink } from '../ipc/protocol.js';
import type { Identity } from './identity.js';
import { WorkerSlot } from './worker-slot.js';

const log = loggerFor('primary');

/** How long a worker may take to answer for itself; one that takes longer is reported as silent. */
const ANSWER_DEADLINE_MS = 2_000;
/** After their time for transfers workers close files and volumes; what takes longer than this is stuck. */
const CLOSING_MS = 5_000;

export interface GroupOptions {
  /** The compiled entry of workers. */
  readonly entry: string;
  readonly count: number;
  readonly identity: Identity;
  readonly threadPoolSize: number;
  readonly watchdog: boolean;
  /** What a worker that starts now needs to know. */
  readonly brief: (worker: number) => WorkerBrief;
  readonly ownMetrics: () => Promise<MetricsSnapshot>;
  readonly restarted: () => void;
}

/** The workers: started, replaced when they crash, asked, and ended together. */
export class WorkerGroup {
  readonly #slots: WorkerSlot[];
  readonly #end = deferred();
  #late: NodeJS.Timeout | undefined;
  #starting: { serving(): void; failed(error: Error): void } | undefined;

  constructor(private readonly options: GroupOptions) {
    const { identity, threadPoolSize } = options;
    // Workers accept from sockets they share. With the other policy the primary accepts and hands over, and
    // what it handed to a worker that just died, or does not react, would never be answered.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({
      exec: options.entry,
      args: [],
      cwd: '/',
      serialization: 'advanced',
      ...(identity.uid === undefined ? {} : { uid: identity.uid }),
      ...(identity.gid === undefined ? {} : { gid: identity.gid }),
    });
    // The pool's size is read once, when the process starts; later changes are not seen.
    const fork = () => cluster.fork({ UV_THREADPOOL_SIZE: String(threadPoolSize) });
    const events = {
      attached: (slot: WorkerSlot, link: WorkerLink) => this.attach(slot, link),
      serving: (slot: WorkerSlot) => this.serving(slot),
      crashed: (slot: WorkerSlot, reason: string) => this.crashed(slot, reason),
      ended: () => this.settleEnd(),
    };
    this.#slots = Array.from(
      { length: options.count },
      (_, index) => new WorkerSlot(index + 1, fork, events, options),
    );
  }

  /**
   * Resolves when every worker takes requests.
   *
   * @throws Error with the reason when one cannot start; the others are running then
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#starting = {
        serving: () => {
          if (!this.#slots.every((slot) => slot.isServing)) return;
          this.#starting = undefined;
          resolve();
        },
        failed: (error) => {
          this.#starting = undefined;
          reject(error);
        },
      };
      for (const slot of this.#slots) slot.start();
    });
  }

  /** Tells every running worker. */
  tell<Name extends keyof PrimarySpeech['notices']>(
    name: Name,
    payload: PrimarySpeech['notices'][Name],
  ): void {
    for (const slot of this.#slots) slot.link?.tell(name, payload);
  }

  /**
   * Ends all workers: politely with a delay and a time for running transfers, after which they are killed.
   * Resolves when none is left, or when the kernel cannot end them.
   */
  async drain(delayMs: number, timeoutMs: number): Promise<void> {
    this.expectEnd();
    this.tell('drain', { delayMs, timeoutMs });
    await this.gone(delayMs + timeoutMs + CLOSING_MS);
  }

  /** Ends all workers without waiting for transfers. */
  async hurry(): Promise<void> {
    this.expectEnd();
    this.tell('hurry', null);
    await this.gone(CLOSING_MS);
  }

  /** Metrics of the primary and of all workers that answer in time. */
  async metrics(): Promise<MetricsSnapshot[]> {
    const answers = await Promise.allSettled([
      this.options.ownMetrics(),
      ...this.#slots.flatMap(({ link }) => link?.ask('metrics', null, ANSWER_DEADLINE_MS) ?? []),
    ]);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  /** What each worker says of its volumes. */
  volumes(): Promise<WorkerState[]> {
    return Promise.all(
      this.#slots.map(async ({ number, link, isServing }) => {
        if (!isServing || !link) return { worker: number, volumes: null };
        const asked = link.ask('volumes', null, ANSWER_DEADLINE_MS);
        return { worker: number, volumes: await asked.catch(() => null) };
      }),
    );
  }

  private attach(slot: WorkerSlot, link: WorkerLink): void {
    link.onQuestion('brief', () => this.options.brief(slot.number));
    link.onQuestion('ping', () => null);
    link.onQuestion('groupMetrics', () => this.metrics());
    link.onQuestion('groupVolumes', () => this.volumes());
    link.onNotice('bus', (message) => this.tell('bus', message));
  }

  private serving(slot: WorkerSlot): void {
    log.info('Worker takes requests', { worker: slot.number });
    this.#starting?.serving();
  }

  private crashed(slot: WorkerSlot, reason: string): void {
    this.#starting?.failed(new Error(`worker ${slot.number} could not start: ${reason}`));
    // Its jobs are free to be taken up.
    this.tell('bus', { topic: WORKER_DIED, payload: slot.number });
    this.options.restarted();
  }

  private expectEnd(): void {
    for (const slot of this.#slots) slot.expectEnd();
  }

  /** Resolves when no worker runs any more; late ones are killed after `deadlineMs`, counted from the last call. */
  private gone(deadlineMs: number): Promise<void> {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.killLate(), deadlineMs);
    this.settleEnd();
    return this.#end.promise;
  }

  private killLate(): void {
    for (const slot of this.#slots) {
      if (!slot.isRunning) continue;
      log.warn('Worker did not end in time and is killed', { worker: slot.number });
      slot.kill();
    }
    // Not even SIGKILL ends a process that is stuck in an uninterruptible system call.
    this.#late = setTimeout(this.#end.resolve, CLOSING_MS);
  }

  private settleEnd(): void {
    if (this.#slots.some((slot) => slot.isRunning)) return;
    clearTimeout(this.#late);
    this.#end.resolve();
  }
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function deferred(): Deferred {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
