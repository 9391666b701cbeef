import type { ServiceState } from '../service-state.js';
import type { EtcdKeys } from './etcd-keys.js';

/** As often as the original, and with a read of the same key (protocol section 1.4). */
const EVERY_MS = 60_000;
const KEY = '_';

/** The row of etcd in health reports; `problem`: why it cannot be used, `null` when it can. */
export function etcdState(problem: string | null, checkedAt: Date): ServiceState {
  return { group: 'etcd', id: 'etcd', healthy: problem === null, message: problem, checkedAt };
}

/** Asks etcd for a sign of life every minute, for health reports, where nothing else is read from it all the time. */
export class EtcdProbe {
  #problem: string | null = 'not asked yet';
  #checkedAt = new Date();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly keys: Pick<EtcdKeys, 'getGlobal'>) {}

  /** Begins to ask. Resolves after the first answer, or failure. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.ask(), EVERY_MS).unref();
    await this.ask();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  state(): ServiceState {
    return etcdState(this.#problem, this.#checkedAt);
  }

  private async ask(): Promise<void> {
    try {
      await this.keys.getGlobal(KEY);
      this.#problem = null;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
    this.#checkedAt = new Date();
  }
}
