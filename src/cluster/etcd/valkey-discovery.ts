import { isDeepStrictEqual } from 'node:util';
import { loggerFor } from '../../observability/logger.js';
import { protectSecrets } from '../../observability/redact.js';
import type { ServiceState } from '../service-state.js';
import { targetsFromKeys, type ValkeyTargets } from '../valkey/valkey-target.js';
import type { EtcdKeys } from './etcd-keys.js';
import { etcdState } from './etcd-probe.js';

const log = loggerFor('etcd');

/** How often etcd is read while all is well; a failover behind sentinels needs no reading. */
const EVERY_MS = 30_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;

/**
 * Keeps looking up in etcd where the site's Valkey is. The original reads that once, at its start; here a
 * changed address or password is taken over, and an etcd that comes late is waited for. What was read last
 * counts while etcd is away.
 */
export class ValkeyDiscovery {
  #targets: ValkeyTargets | null = null;
  #problem: string | null = 'not read yet';
  #checkedAt = new Date();
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | null = null;
  #stopped = false;

  constructor(
    private readonly keys: EtcdKeys,
    private readonly found: (targets: ValkeyTargets | null) => void,
  ) {}

  /** Resolves after the first attempt, however that went. */
  start(): Promise<void> {
    return this.look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Reads again soon: what is known does not work. */
  async look(): Promise<void> {
    this.#reading ??= this.read().finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  state(): ServiceState {
    return etcdState(this.#problem, this.#checkedAt);
  }

  private async read(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const keys = await this.keys.below('config/redis');
      this.take(targetsFromKeys(keys));
      this.note(null);
      this.#failures = 0;
    } catch (error) {
      this.note(error instanceof Error ? error.message : String(error));
      this.#failures += 1;
    }
    if (this.#stopped) return;
    const retryMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LAST_RETRY_MS);
    this.#timer = setTimeout(() => void this.look(), this.#failures === 0 ? EVERY_MS : retryMs);
    this.#timer.unref();
  }

  private take(targets: ValkeyTargets | null): void {
    if (this.#stopped || (this.#problem === null && isDeepStrictEqual(targets, this.#targets)))
      return;
    this.#targets = targets;
    for (const target of Object.values(targets ?? {})) {
      protectSecrets([target.password, target.sentinelPassword].filter((text) => text !== null));
    }
    this.found(targets);
  }

  private note(problem: string | null): void {
    this.#checkedAt = new Date();
    if (problem === this.#problem) return;
    const wasGood = this.#problem === null;
    this.#problem = problem;
    if (problem === null) log.info('Read from etcd where Valkey is', {});
    else if (wasGood || this.#failures === 0) log.warn('etcd cannot be read', { reason: problem });
  }
}
