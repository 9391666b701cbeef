import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno } from '../../native/errno.js';
import { loggerFor } from '../../observability/logger.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import type { VFolderId } from '../ids/vfolder-id.js';
import { RECORD_BYTES } from '../uploads/offset-record.js';
import type { Volume } from '../volume.js';
import { judge, outstandingBytes, type Claim, type Usage, type Verdict } from './admission-rule.js';
import { quotaRootOf, type QuotaRoot } from './quota-root.js';
import { QuotaWatch } from './quota-watch.js';
import { Reservations, type ReservationAges } from './reservations.js';
import { Sightings } from './sightings.js';

/** How long claims made at the same time may take to be given up. */
const SETTLE_MS = 2_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** For the records of about a thousand running uploads. */
const RECORDS_SLACK_BYTES = 64 * 1024;

const log = loggerFor('uploads');

/** One upload that asks for room. */
export interface AdmissionRequest {
  readonly volume: Volume;
  readonly id: VFolderId;
  readonly session: string;
  readonly sizeBytes: number;
}

/** Why an upload does not fit by itself. */
export interface Shortage {
  readonly refusal: StorageError;
  /** Whether the usage may be behind a deletion. */
  readonly mayPass: boolean;
}

/**
 * Refuses uploads that would go beyond a quota before a byte of them is sent. What running uploads have still to
 * bring counts as used; see {@link Reservations}. Where the backend enforces no limit on the id, everything is admitted.
 *
 * Refusals are StorageErrors QUOTA_EXCEEDED with `data: { used_bytes, limit_bytes, requested_bytes, reserved_bytes }`,
 * and `lag_seconds` where the usage may be so far behind.
 */
@Injectable()
export class QuotaAdmission {
  readonly #sightings = new Sightings();

  constructor(@Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings) {}

  /** What does not even fit alone, or `null`. Reserves nothing. The caller holds a slot of the volume. */
  async shortage(volume: Volume, id: VFolderId, sizeBytes: number): Promise<Shortage | null> {
    const root = sizeBytes === 0 ? null : quotaRootOf(volume, id);
    if (root === null) return null;
    const usage = await usageOf(root);
    if (usage === null) return null;
    // Whether it is records of uploads that are in the way is found out when room is reserved.
    const slackBytes = usage.lagMs > 0 ? RECORDS_SLACK_BYTES : 0;
    if (usage.usedBytes + sizeBytes <= usage.limitBytes + slackBytes) return null;
    return {
      refusal: quotaExceeded(volume, id, usage, sizeBytes, 0),
      mayPass: usage.lagMs > 0 && sizeBytes <= usage.limitBytes,
    };
  }

  /**
   * Reserves room for an upload, whose staging file is there. When in doubt it waits for claims made at the same
   * time, and for the usage to catch up with uploads that have just ended: some seconds at most, and without a
   * slot of the volume. A refused upload has nothing reserved.
   */
  async reserve({ volume, id, session, sizeBytes }: AdmissionRequest): Promise<void> {
    const root = sizeBytes === 0 ? null : quotaRootOf(volume, id);
    if (root === null) return;
    const reservations = new Reservations(volume, root.name);
    const attempt = (isFirst: boolean): Promise<Outcome> =>
      volume.withRoot('quota.reserve', async (mount) => {
        const usage = await usageOf(root);
        if (usage === null) return { verdict: 'admitted' };
        if (isFirst) await reservations.add(mount, id, session, sizeBytes);
        const claims = await reservations.claims(mount, this.ages(root));
        const verdict = judge(session, claims, withoutRecords(usage, claims));
        return { verdict, usage, reservedBytes: outstandingBytes(session, claims) };
      });
    const outcome = await this.settle(root, attempt);
    if (outcome.verdict === 'admitted') return;
    await this.release({ volume, id, session, sizeBytes });
    throw quotaExceeded(volume, id, outcome.usage, sizeBytes, outcome.reservedBytes);
  }

  /**
   * Gives a reservation back: when the upload is in place, or will never be. Without effect where the usage lags
   * behind, where the reservation of what is in place still counts for a while. Never rejects.
   */
  async release(
    { volume, id, session, sizeBytes }: AdmissionRequest,
    { isInPlace = false } = {},
  ): Promise<void> {
    try {
      const root = quotaRootOf(volume, id);
      if (root === null || sizeBytes === 0 || (isInPlace && root.usageLagMs > 0)) return;
      const reservations = new Reservations(volume, root.name);
      await volume.io(async () => {
        using mount = await volume.openRoot();
        await reservations.remove(mount, session, sizeBytes);
      });
    } catch (error) {
      // It does not count without its staging file, and is collected.
      log.debug('A reservation is left to be collected', { volume: volume.name, err: error });
    }
  }

  /** What looks at the quota while an upload is being received; `null` where the filesystem sees to it in time. */
  watch(volume: Volume, id: VFolderId): QuotaWatch | null {
    const root = quotaRootOf(volume, id);
    if (root === null || !root.enforcesLate) return null;
    return new QuotaWatch({
      settleMs: root.usageLagMs,
      usage: () => volume.io(() => usageOf(root)),
      refusal: (usage, neededBytes) => quotaExceeded(volume, id, usage, neededBytes, 0),
    });
  }

  /** Removes reservations of uploads that have gone, all over the volume. One root that fails leaves the others theirs. */
  async collect(volume: Volume): Promise<void> {
    const { enforcesScopes, enforcesVFolders, usageLagMs } = volume.strategies.quota;
    if (!enforcesScopes && !enforcesVFolders) return;
    for (const name of await Reservations.rootNames(volume)) {
      try {
        await this.collectRoot(volume, name, usageLagMs);
      } catch (error) {
        log.warn('Reservations could not be collected', {
          volume: volume.name,
          root: name,
          err: error,
        });
      }
    }
  }

  private async collectRoot(volume: Volume, name: string, usageLagMs: number): Promise<void> {
    const reservations = new Reservations(volume, name);
    await volume.io(async () => {
      using mount: Beneath = await volume.openRoot();
      await reservations.claims(mount, this.ages({ usageLagMs }));
      await reservations.removeIfEmpty(mount);
    });
  }

  /** Looks again while in doubt. */
  private async settle(
    { usageLagMs }: QuotaRoot,
    attempt: (isFirst: boolean) => Promise<Outcome>,
  ): Promise<Outcome> {
    // What the first look has seen is certain to be counted at the last.
    const deadline = Date.now() + Math.max(SETTLE_MS, usageLagMs + LONGEST_PAUSE_MS);
    let outcome = await attempt(true);
    let pauseMs = FIRST_PAUSE_MS;
    while (outcome.verdict === 'doubtful' && Date.now() < deadline) {
      await sleep(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      outcome = await attempt(false);
    }
    return outcome;
  }

  private ages({ usageLagMs }: Pick<QuotaRoot, 'usageLagMs'>): ReservationAges {
    const { tokenLifetimeMs } = this.settings;
    return { usageLagMs, tokenLifetimeMs, sightings: this.#sightings };
  }
}

type Outcome =
  | { readonly verdict: 'admitted' }
  | { readonly verdict: Verdict; readonly usage: Usage; readonly reservedBytes: number };

/** `null` where no limit is set. */
async function usageOf(root: QuotaRoot): Promise<Usage | null> {
  const { usedBytes, limitBytes } = await root.describe();
  if (limitBytes === null) return null;
  return { usedBytes: usedBytes ?? 0, limitBytes, lagMs: root.usageLagMs };
}

/**
 * The offset records of running uploads are used bytes, but not the tenant's: what fits exactly is not refused for
 * them. They are empty until bytes come. Where usage is in blocks and at once (XFS), it says nothing so exact.
 */
function withoutRecords(usage: Usage, claims: readonly Claim[]): Usage {
  if (usage.lagMs === 0) return usage;
  const records = claims.filter(({ stagedBytes }) => stagedBytes > 0).length;
  return { ...usage, usedBytes: Math.max(0, usage.usedBytes - records * RECORD_BYTES) };
}

function quotaExceeded(
  volume: Volume,
  id: VFolderId,
  { usedBytes, limitBytes, lagMs }: Usage,
  requestedBytes: number,
  reservedBytes: number,
): StorageError {
  const reserved = reservedBytes > 0 ? ` and ${reservedBytes} reserved by running uploads` : '';
  return new StorageError(
    'QUOTA_EXCEEDED',
    `${requestedBytes} bytes do not fit: ${usedBytes} of ${limitBytes} are used${reserved}`,
    {
      subject: 'entry',
      errno: Errno.EDQUOT,
      volume: volume.name,
      vfid: id.toString(),
      data: {
        used_bytes: usedBytes,
        limit_bytes: limitBytes,
        requested_bytes: requestedBytes,
        reserved_bytes: reservedBytes,
        ...(lagMs > 0 && { lag_seconds: lagMs / 1000 }),
      },
    },
  );
}
