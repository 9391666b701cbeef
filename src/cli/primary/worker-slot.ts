import type { Worker } from 'node:cluster';
import { loggerFor } from '../../observability/logger.js';
import { Channel } from '../ipc/channel.js';
import { portOfWorker } from '../ipc/ports.js';
import type { WorkerLink } from '../ipc/protocol.js';
import { Backoff } from './backoff.js';

const log = loggerFor('primary');

/** Restarts come quickly at first, since each costs a part of the capacity, then leave the machine alone. */
const RESTARTS = { firstMs: 250, longestMs: 30_000, forgetAfterMs: 60_000 };
/** A worker whose event loop stood still for this many pings in a row is beyond help. */
const PING_INTERVAL_MS = 10_000;
const PINGS_UNTIL_KILLED = 6;

export interface SlotEvents {
  /** A process was started; its questions must be answered from now on. */
  attached(slot: WorkerSlot, link: WorkerLink): void;
  serving(slot: WorkerSlot): void;
  /** The process ended though nobody asked it to; `reason` is the worker's own or the system's. */
  crashed(slot: WorkerSlot, reason: string): void;
  /** The process ended as asked. */
  ended(slot: WorkerSlot): void;
}

/** One of the group's workers: the process that has the number now, and those that replace it. */
export class WorkerSlot {
  #worker: Worker | undefined;
  #link: WorkerLink | undefined;
  #serving = false;
  #ending = false;
  #startedAt = 0;
  #reason: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  readonly #backoff = new Backoff(RESTARTS);

  constructor(
    /** From 1. */
    readonly number: number,
    private readonly fork: () => Worker,
    private readonly events: SlotEvents,
    private readonly options: { readonly watchdog: boolean },
  ) {}

  /** The pipe to the running process, if there is one. */
  get link(): WorkerLink | undefined {
    return this.#link;
  }

  get isServing(): boolean {
    return this.#serving;
  }

  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  start(): void {
    const worker = this.fork();
    const link: WorkerLink = new Channel(portOfWorker(worker));
    this.#worker = worker;
    this.#link = link;
    this.#startedAt = Date.now();
    this.#reason = undefined;
    worker.on('error', (error) => log.warn('Worker cannot be reached', { err: error }));
    worker.once('exit', (code, signal) => this.exited(signal ?? `exit code ${code}`));
    link.onNotice('serving', () => {
      this.#serving = true;
      this.events.serving(this);
    });
    link.onNotice('failed', ({ reason }) => {
      this.#reason = reason;
    });
    this.events.attached(this, link);
    if (this.options.watchdog) this.watch(link);
  }

  /** From now on its end is expected, and not followed by a restart. */
  expectEnd(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
    clearInterval(this.#watchdog);
  }

  kill(): void {
    this.#worker?.process.kill('SIGKILL');
  }

  private exited(how: string): void {
    clearInterval(this.#watchdog);
    this.#worker = undefined;
    this.#link = undefined;
    this.#serving = false;
    if (this.#ending) {
      this.events.ended(this);
      return;
    }
    const reason = this.#reason ?? how;
    const pauseMs = this.#backoff.next(Date.now() - this.#startedAt);
    this.#timer = setTimeout(() => this.start(), pauseMs);
    log.error('Worker ended unexpectedly', { worker: this.number, reason, restart_in_ms: pauseMs });
    this.events.crashed(this, reason);
  }

  /**
   * Kills the process when its event loop stands still for good: it holds connections that nobody serves.
   * Unanswered pings are counted, not seconds, so that a machine that slept does not look like a dead worker.
   */
  private watch(link: WorkerLink): void {
    let missed = 0;
    this.#watchdog = setInterval(() => {
      missed += 1;
      if (missed > PINGS_UNTIL_KILLED) {
        log.error('Worker does not react and is killed', { worker: this.number });
        this.kill();
      }
      link.ask('ping', null, PING_INTERVAL_MS).then(
        () => (missed = 0),
        () => undefined,
      );
    }, PING_INTERVAL_MS);
  }
}
