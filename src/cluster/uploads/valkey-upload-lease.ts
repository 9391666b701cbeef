import { setTimeout as sleep } from 'node:timers/promises';
import { isStorageError } from '../../errors/storage-error.js';
import { loggerFor } from '../../observability/logger.js';
import type { UploadLease } from '../../volume/uploads/upload-leases.js';
import { uploadTakenOver } from '../../volume/uploads/upload-request.js';
import type { Valkey } from '../valkey/valkey.js';
import {
  COMMIT,
  COMPLETE,
  LEASE_SECONDS,
  leaseKey,
  OFFSET_SECONDS,
  offsetKey,
  RELEASE,
  RENEW,
} from './upload-keys.js';

const log = loggerFor('uploads');

const RENEW_EVERY_MS = 5_000;
/** Writing stops this long before somebody else could take the lease. */
const MARGIN_MS = 10_000;
const RETRY_MS = 250;

export interface LeaseFacts {
  readonly session: string;
  readonly holder: string;
  readonly offset: number | null;
  /** On the monotonic clock, before the lease was asked for. */
  readonly takenAtMs: number;
}

/** A lease in Valkey, renewed until it is given up or lost. */
export class ValkeyUploadLease implements UploadLease {
  readonly offset: number | null;
  readonly #keys: [lease: string, offset: string];
  readonly #listeners = new Set<() => void>();
  readonly #renewal: NodeJS.Timeout;
  #expiry: NodeJS.Timeout | undefined;
  #goodUntilMs = 0;
  #state: 'held' | 'given-up' | 'lost' = 'held';

  constructor(
    private readonly valkey: Valkey,
    private readonly facts: LeaseFacts,
  ) {
    this.offset = facts.offset;
    this.#keys = [leaseKey(facts.session), offsetKey(facts.session)];
    this.confirm(facts.takenAtMs);
    this.#renewal = setInterval(() => void this.renew(), RENEW_EVERY_MS).unref();
  }

  get isLost(): boolean {
    return this.#state === 'lost';
  }

  onLost(listener: () => void): void {
    if (this.isLost) listener();
    else this.#listeners.add(listener);
  }

  async assertHeld(): Promise<void> {
    await this.renew();
    if (this.isLost) throw uploadTakenOver();
  }

  async record(offset: number): Promise<void> {
    await this.store(offset, false);
  }

  async commit(offset: number): Promise<void> {
    await this.store(offset, true);
    this.end('given-up');
  }

  async complete(): Promise<void> {
    await this.giveUp(COMPLETE, this.#keys);
  }

  async release(): Promise<void> {
    await this.giveUp(RELEASE, [this.#keys[0]]);
  }

  private async giveUp(script: string, keys: readonly string[]): Promise<void> {
    if (this.#state !== 'held') return;
    this.end('given-up');
    try {
      await this.eval(script, keys, []);
    } catch (error) {
      // It expires by itself.
      log.warn('The lease of an upload could not be given up', { err: error });
    }
  }

  /** As long as the lease is good Valkey may come back. */
  private async store(offset: number, release: boolean): Promise<void> {
    const args = [offset, OFFSET_SECONDS, release ? '1' : '0'];
    for (;;) {
      if (this.isLost) throw uploadTakenOver();
      try {
        if ((await this.eval(COMMIT, this.#keys, args)) !== -1) return;
        this.end('lost');
      } catch (error) {
        if (!isStorageError(error, 'UNAVAILABLE')) throw error;
        if (performance.now() + RETRY_MS > this.#goodUntilMs) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  private async renew(): Promise<void> {
    if (this.#state !== 'held') return;
    const askedAtMs = performance.now();
    try {
      const renewed = await this.eval(RENEW, [this.#keys[0]], [LEASE_SECONDS]);
      if (renewed === 1) this.confirm(askedAtMs);
      else this.end('lost');
    } catch (error) {
      log.debug('The lease of an upload was not renewed', { err: error });
    }
  }

  private confirm(sinceMs: number): void {
    if (this.#state !== 'held') return;
    this.#goodUntilMs = sinceMs + LEASE_SECONDS * 1_000 - MARGIN_MS;
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(
      () => this.end('lost'),
      this.#goodUntilMs - performance.now(),
    ).unref();
  }

  private end(state: 'given-up' | 'lost'): void {
    if (this.#state !== 'held') return;
    this.#state = state;
    clearInterval(this.#renewal);
    clearTimeout(this.#expiry);
    if (state === 'given-up') return;
    log.warn('The lease of an upload was lost', { session: this.facts.session });
    for (const listener of this.#listeners) listener();
  }

  private eval(
    script: string,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.valkey.run('uploads', (client) =>
      client.eval(script, keys.length, ...keys, this.facts.holder, ...args),
    );
  }
}
