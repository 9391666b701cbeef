import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Settings } from '../../config/settings.js';
import { loggerFor } from '../../observability/logger.js';
import { Channel } from '../ipc/channel.js';
import { portOfChild } from '../ipc/ports.js';
import { Backoff } from '../primary/backoff.js';
import type { AgentDoor } from './agent-accounts.js';
import { ordersFrom } from './agent-orders.js';
import type { SupervisorLink } from './protocol.js';

const log = loggerFor('agent');

/** The agent keeps nothing, so that a restart is only a pause for those who ask. */
const RESTARTS = { firstMs: 100, longestMs: 30_000, forgetAfterMs: 60_000 };
/** Over what the agent itself takes to end. */
const CLOSING_MS = 2_000;

export interface SupervisorOptions {
  /** The compiled entry of the agent's process. */
  readonly entry: string;
  /** The Node.js that runs it; this process's own unless given. */
  readonly program?: string;
  readonly door: AgentDoor;
  /** Its log goes nowhere. */
  readonly isQuiet?: boolean;
}

/** Runs an agent as a child process, and starts it again when it ends. */
export class AgentSupervisor {
  #child: ChildProcess | undefined;
  #link: SupervisorLink | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isEnding = false;
  readonly #backoff = new Backoff(RESTARTS);

  constructor(
    private settings: Settings,
    private readonly options: SupervisorOptions,
  ) {}

  /** Resolves when the agent listens. Rejects with the reason when it cannot; it is tried again all the same. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const startedAt = Date.now();
      let reason: string | undefined;
      let hasEnded = false;
      const ended = (how: string): void => {
        if (hasEnded) return;
        hasEnded = true;
        this.#child = undefined;
        this.#link = undefined;
        reason ??= how;
        reject(new Error(`the agent could not start: ${reason}`));
        if (!this.#isEnding) this.#startAgain(reason, Date.now() - startedAt);
      };
      let forked: ReturnType<AgentSupervisor['fork']>;
      try {
        forked = this.fork();
      } catch (error) {
        // What Node does not tell by an event, such as too little memory.
        return ended(error instanceof Error ? error.message : String(error));
      }
      const { child, link } = forked;
      child.on('error', (error) => {
        // Without a process id there is no process, and no "exit" will come.
        if (child.pid === undefined) ended(error.message);
        else log.warn('The agent cannot be reached', { err: error });
      });
      link.onQuestion('brief', () => ({
        supervisorPid: process.pid,
        orders: ordersFrom(this.settings),
        door: this.options.door,
      }));
      link.onNotice('listening', () => resolve());
      link.onNotice('failed', (failure) => {
        ({ reason } = failure);
      });
      child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`));
    });
  }

  /** Hands new volumes on. */
  update(settings: Settings): void {
    this.settings = settings;
    this.#link?.tell('update', ordersFrom(settings));
  }

  /** Lets the agent answer what it has, for `timeoutMs` at most; kills it when it does not end. */
  async end(timeoutMs: number): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return;
    const exited = once(child, 'exit');
    this.#link?.tell('end', { timeoutMs });
    const kill = setTimeout(() => child.kill('SIGKILL'), timeoutMs + CLOSING_MS);
    // Not even SIGKILL ends a process that is stuck in a system call.
    const giveUp = setTimeout(
      () => child.emit('exit', null, 'SIGKILL'),
      timeoutMs + 2 * CLOSING_MS,
    );
    await exited;
    clearTimeout(kill);
    clearTimeout(giveUp);
    child.unref();
    if (child.connected) child.disconnect();
  }

  private fork(): { child: ChildProcess; link: SupervisorLink } {
    const child = fork(this.options.entry, [], {
      cwd: '/',
      execPath: this.options.program ?? process.execPath,
      // Nothing of the environment: it may hold secrets.
      env: { UV_THREADPOOL_SIZE: String(this.settings.server.threadPoolSize) },
      stdio: ['ignore', this.options.isQuiet ? 'ignore' : 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    const link: SupervisorLink = new Channel(portOfChild(child));
    this.#child = child;
    this.#link = link;
    return { child, link };
  }

  #startAgain(reason: string, lastedMs: number): void {
    const pauseMs = this.#backoff.next(lastedMs);
    log.error('The agent ended unexpectedly', { reason, restart_in_ms: pauseMs });
    this.#timer = setTimeout(() => void this.start().catch(() => undefined), pauseMs);
  }
}
