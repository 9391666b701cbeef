import { createHash, randomBytes } from 'node:crypto';
import { NO_LEASE, UploadLeases, type UploadLease } from '../../volume/uploads/upload-leases.js';
import type { Valkey } from '../valkey/valkey.js';
import { ValkeyUploadLease } from './valkey-upload-lease.js';
import {
  COMPARE_AND_TAKE,
  LEASE_SECONDS,
  leaseKey,
  offsetKey,
  OFFSET_SECONDS,
} from './upload-keys.js';

/** Ours alone: names of sessions whose holder should let go. */
const CHANNEL = 'storage-proxy.upload-release';
const TAG_BYTES = 6;

/**
 * The upload registry of protocol section 9, in the keys that the original uses, so that proxies of both
 * kinds can serve the same uploads.
 *
 * Holders are named `<node-id>:<32 hex>`. The digits of ours begin with a tag that the original's, which are
 * random, do not have: whoever holds the lock of a staging file and finds a lease of its own host with the tag
 * knows that its holder is dead, and need not wait until it expires.
 */
export class ValkeyUploadLeases extends UploadLeases {
  readonly #tag: string;

  constructor(
    private readonly valkey: Valkey,
    private readonly nodeId: string,
  ) {
    super();
    const digest = createHash('sha256').update(`storage-proxy lease of ${nodeId}`).digest('hex');
    this.#tag = digest.slice(0, 2 * TAG_BYTES);
  }

  async announce(session: string): Promise<void> {
    if (!this.valkey.isExpected) return;
    await this.valkey.run('uploads', (client) =>
      client.set(offsetKey(session), '0', 'EX', OFFSET_SECONDS),
    );
  }

  async acquire(session: string): Promise<UploadLease | 'held'> {
    if (!this.valkey.isExpected) return NO_LEASE;
    const holder = this.newHolder();
    const takenAt = performance.now();
    const [taken, offset] = await this.take(session, holder);
    const isOurs = taken || (await this.takeFromDead(session, holder));
    if (!isOurs) return 'held';
    return new ValkeyUploadLease(this.valkey, {
      session,
      holder,
      offset: offset === null ? null : Number(offset),
      takenAtMs: takenAt,
    });
  }

  askRelease(session: string): void {
    if (!this.valkey.isReady('uploads')) return;
    this.valkey.run('uploads', (client) => client.publish(CHANNEL, session)).catch(() => undefined);
  }

  onReleaseAsked(handler: (session: string) => void): void {
    this.valkey.listen('uploads', CHANNEL, handler);
  }

  private newHolder(): string {
    return `${this.nodeId}:${this.#tag}${randomBytes(16 - TAG_BYTES).toString('hex')}`;
  }

  private async take(session: string, holder: string): Promise<[boolean, string | null]> {
    return await this.valkey.run('uploads', async (client) => {
      const results = await client
        .multi()
        .set(leaseKey(session), holder, 'EX', LEASE_SECONDS, 'NX')
        .get(offsetKey(session))
        .exec();
      const [[setError, set] = [null, null], [getError, offset] = [null, null]] = results ?? [];
      if (setError) throw setError;
      if (getError) throw getError;
      return [set === 'OK', offset as string | null];
    });
  }

  private async takeFromDead(session: string, holder: string): Promise<boolean> {
    return await this.valkey.run('uploads', async (client) => {
      const other = await client.get(leaseKey(session));
      if (!other?.startsWith(`${this.nodeId}:${this.#tag}`)) return false;
      const key = leaseKey(session);
      return (await client.eval(COMPARE_AND_TAKE, 1, key, other, holder, LEASE_SECONDS)) === 1;
    });
  }
}
