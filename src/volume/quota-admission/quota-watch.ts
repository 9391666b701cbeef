import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageError } from '../../errors/storage-error.js';
import type { Usage } from './admission-rule.js';

const LOOK_EVERY_MS = 1_000;
/** The records of running uploads are in the figures, and are not the tenant's; how many there are is not looked at here. */
const SLACK_BYTES = 64 * 1024;

export interface QuotaWatchOptions {
  /** How long the usage may take to follow what was deleted. */
  readonly settleMs: number;
  /** `null` while no limit is set. */
  usage(): Promise<Usage | null>;
  refusal(usage: Usage, neededBytes: number): StorageError;
}

/**
 * Looks at a quota while an upload is being received, on filesystems that let writers go beyond a limit for a
 * while. One upload's, for the time of one request.
 */
export class QuotaWatch {
  #lookAt = 0;

  constructor(private readonly options: QuotaWatchOptions) {}

  /**
   * Called between two writes, with the bytes that are still to come. Looks at once, and then once a second. What
   * does not seem to fit waits, with the client's body unread, until the usage can be believed, or `signal` says
   * that nobody waits for that any more.
   *
   * @throws StorageError QUOTA_EXCEEDED
   */
  async passed(neededBytes: number, signal: AbortSignal): Promise<void> {
    if (Date.now() < this.#lookAt) return;
    const deadline = Date.now() + this.options.settleMs;
    for (;;) {
      const usage = await this.options.usage();
      if (usage === null || usage.usedBytes + neededBytes <= usage.limitBytes + SLACK_BYTES) break;
      if (signal.aborted || Date.now() >= deadline) throw this.options.refusal(usage, neededBytes);
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
    this.#lookAt = Date.now() + LOOK_EVERY_MS;
  }
}
