import type { Backend, VolumeSettings, VolumeStrategies } from '../backend/contract/backend.js';
import { canAnswerAtOnce } from '../native/at-once.js';
import { Beneath } from '../native/beneath.js';
import { readLayoutVersion } from './layout-marker.js';
import { NOOP, Volume, type VolumeOptions, type VolumeState } from './volume.js';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
const CLOSE_REPLACED_MS = 10_000;

export interface SupervisorEvents {
  /** Open for the first time, or again. */
  usable(volume: Volume): void;
  /** Not usable any more, or still not but for another reason. */
  unavailable(volume: Volume, reason: string): void;
}

type Opened = Omit<Extract<VolumeState, { kind: 'open' }>, 'kind'>;

/**
 * Opens one volume through its backend and keeps at it: a failure makes the volume unavailable and is
 * retried with exponential backoff. At most one attempt runs at a time, even past its deadline: on a hung
 * mount each further one would cost a thread for nothing.
 */
export class VolumeSupervisor {
  readonly volume: Volume;
  #since = new Date();
  #attempt: Promise<void> | null = null;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    settings: VolumeSettings,
    private readonly backend: Backend,
    private readonly events: SupervisorEvents,
    private readonly options: VolumeOptions,
  ) {
    this.volume = new Volume(settings, { ...options, onLost: (reason) => this.lost(reason) });
  }

  /** When the volume came into its present state. */
  get since(): Date {
    return this.#since;
  }

  /** Resolves when the volume is open, has failed to open, or did neither before the deadline. Never rejects. */
  async start(): Promise<void> {
    const { operationDeadlineMs } = this.options;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.fail(`it did not answer within ${operationDeadlineMs / 1000} s while being opened`);
        resolve();
      }, operationDeadlineMs);
    });
    this.#attempt ??= this.attempt();
    await Promise.race([this.#attempt, deadline]);
    clearTimeout(timer);
  }

  /** Lets running operations end, then closes the strategies; both within `deadlineMs`. Never rejects. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const { state } = this.volume;
    this.volume.become({ kind: 'closed', reason: 'it was closed' });
    const startedAt = Date.now();
    await this.volume.bulkhead.drain(deadlineMs);
    if (state.kind !== 'open') return;
    await closeQuietly(state.strategies, Math.max(0, startedAt + deadlineMs - Date.now()));
  }

  private async attempt(): Promise<void> {
    try {
      this.succeed(await this.open());
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
      this.retryLater();
    } finally {
      this.#attempt = null;
    }
  }

  private async open(): Promise<Opened> {
    const { settings } = this.volume;
    const strategies = await this.backend.open(settings);
    try {
      return { strategies, ...(await inspect(settings)) };
    } catch (error) {
      await closeQuietly(strategies, CLOSE_REPLACED_MS);
      throw error;
    }
  }

  private succeed(opened: Opened): void {
    if (this.#closed) {
      void closeQuietly(opened.strategies, CLOSE_REPLACED_MS);
      return;
    }
    this.#failures = 0;
    this.#since = new Date();
    this.volume.become({ kind: 'open', ...opened });
    this.events.usable(this.volume);
  }

  private fail(reason: string): void {
    const { state } = this.volume;
    if (this.#closed || (state.kind === 'unavailable' && state.reason === reason)) return;
    this.#since = new Date();
    this.volume.become({ kind: 'unavailable', reason });
    this.events.unavailable(this.volume, reason);
  }

  /** An operation found another directory, or a dead one, where the volume was. */
  private lost(reason: string): void {
    const { state } = this.volume;
    if (this.#closed || state.kind !== 'open') return;
    this.fail(reason);
    void closeQuietly(state.strategies, CLOSE_REPLACED_MS);
    this.#attempt ??= this.attempt();
  }

  /** Jitter keeps the workers of a host, and the hosts of a cluster, from knocking all at once. */
  private retryLater(): void {
    if (this.#closed) return;
    const backoffMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    const delayMs = backoffMs * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(() => {
      this.#attempt ??= this.attempt();
    }, delayMs);
    this.#retry.unref();
  }
}

async function inspect(settings: VolumeSettings): Promise<Omit<Opened, 'strategies'>> {
  if (settings.backend === NOOP) return { identity: null, layout: null, atOnce: false };
  using root = await Beneath.open(settings.path);
  const layout = await readLayoutVersion(root);
  const { dev, ino } = await root.stat();
  return { identity: { dev, ino }, layout, atOnce: await canAnswerAtOnce(root.fd) };
}

/** The strategies are given up: what still goes wrong with them concerns nobody. */
async function closeQuietly(strategies: VolumeStrategies, deadlineMs: number): Promise<void> {
  await strategies.close(deadlineMs).catch(() => undefined);
}
