import { PROXY_DIRECTORY } from '../../backend/contract/proxy-directory.js';
import type { Entry } from '../../backend/contract/entry.js';
import type { TreeLocation } from '../../backend/contract/tree-task.js';
import type { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { Stat } from '../../native/stat.js';
import { PRIVATE_MODE, UPLOAD_DIRECTORY, vfolderPath } from '../ids/layout.js';
import type { VFolderId } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import type { Claim } from './admission-rule.js';
import type { Sightings } from './sightings.js';

const RESERVATIONS = `${PROXY_DIRECTORY}/reservations`;
const VOLUME_ROOT: TreeLocation = { path: Buffer.from('.') };
const NAME = /^([0-9a-f]{32})\.(\d{1,16})$/;
/** From a claim to the mount path. */
const UP = '../../../';
const NS_PER_MS = 1_000_000n;
/** A request that is being served touches its staging file more often than this. */
const QUIET_MS = 600_000;
/** Times of files are by the clocks of other hosts, which may be so far from ours. */
const CLOCKS_MS = 300_000;

export interface ReservationAges {
  /** For how long an upload that has ended may not be counted as used, milliseconds. */
  readonly usageLagMs: number;
  /** Lifetime of the tokens: an upload begun before that is not continued. */
  readonly tokenLifetimeMs: number;
  readonly sightings: Sightings;
}

/**
 * What running uploads have claimed of one quota root: a directory of the volume with a symlink for each,
 * `<session>.<declared bytes>`, which leads to the staging file. So every proxy of the volume sees the claims, and
 * what is still to come of each; and a claim is of no account any more when the staging file has gone, whoever
 * removed it. Rejects with SystemError.
 */
export class Reservations {
  readonly #path: Buffer;

  constructor(
    private readonly volume: Volume,
    rootName: string,
  ) {
    this.#path = Buffer.from(`${RESERVATIONS}/${rootName}`);
  }

  /** Names of the quota roots on the volume that something has been claimed of. */
  static async rootNames(volume: Volume): Promise<string[]> {
    const entries = await list(volume, Buffer.from(RESERVATIONS));
    return entries.map(({ name }) => name.toString('latin1'));
  }

  /** The staging file is there. May be repeated. */
  async add(root: Beneath, id: VFolderId, session: string, bytes: number): Promise<void> {
    const target = `${UP}${vfolderPath(id).toString()}/${UPLOAD_DIRECTORY}/${session}`;
    const link = (): Promise<void> =>
      root.within(this.#entry(session, bytes), (dirfd, name) =>
        calls.symlinkat(Buffer.from(target), dirfd, name),
      );
    try {
      await link();
    } catch (error) {
      if (isErrno(error, Errno.EEXIST)) return;
      if (!isErrno(error, Errno.ENOENT)) throw error;
      await root.mkdirs(this.#path, PRIVATE_MODE, PRIVATE_MODE).catch(ignoreExisting);
      await link();
    }
  }

  async remove(root: Beneath, session: string, bytes: number): Promise<void> {
    await root.unlink(this.#entry(session, bytes)).catch(ignoreMissing);
  }

  /** Every claim that counts; those that do not any more are removed. */
  async claims(root: Beneath, ages: ReservationAges): Promise<Claim[]> {
    const claims: Claim[] = [];
    for (const entry of await list(this.volume, this.#path)) {
      const [, session, bytes] = NAME.exec(entry.name.toString('latin1')) ?? [];
      if (session === undefined) continue;
      const found = await this.#look(root, entry, session, ages);
      const claim = { session, declaredBytes: Number(bytes), madeAtNs: entry.mtimeNs };
      if (found !== undefined) {
        claims.push({ ...claim, ...found });
        continue;
      }
      ages.sightings.forget(session);
      await this.remove(root, session, claim.declaredBytes);
    }
    return claims;
  }

  /** Removes the directory when nothing is claimed. */
  async removeIfEmpty(root: Beneath): Promise<void> {
    try {
      await root.rmdir(this.#path);
    } catch (error) {
      if (!isErrno(error, Errno.ENOTEMPTY, Errno.EEXIST, Errno.ENOENT)) throw error;
    }
  }

  async #look(
    root: Beneath,
    { target = Buffer.alloc(0), mtimeNs }: Entry,
    session: string,
    { usageLagMs, tokenLifetimeMs, sightings }: ReservationAges,
  ): Promise<Pick<Claim, 'state' | 'stagedBytes' | 'countedBytes'> | undefined> {
    const staging = target.subarray(UP.length);
    const isOld = ageMs(mtimeNs) > tokenLifetimeMs;
    const staged = await look(root, staging);
    if (staged === 'hidden') return isOld ? undefined : UNSEEN;
    if (staged !== undefined) {
      const quietMs = ageMs(touchedNs(staged));
      if (isOld && quietMs > QUIET_MS) return undefined;
      const seenBytes = sightings.countedBytes(session, staged.size, usageLagMs);
      const countedBytes = quietMs > usageLagMs + CLOCKS_MS ? staged.size : seenBytes;
      return { state: 'running', stagedBytes: staged.size, countedBytes };
    }
    // Completed, else given up; see `uploads/upload-names.ts`.
    const done = await look(root, Buffer.concat([staging, Buffer.from('.done')]));
    if (done === 'hidden') return isOld ? undefined : UNSEEN;
    if (done === undefined || ageMs(touchedNs(done)) > usageLagMs + CLOCKS_MS) return undefined;
    if (sightings.hasEndedFor(session, usageLagMs)) return undefined;
    return { state: 'ended', stagedBytes: 0, countedBytes: 0 };
  }

  #entry(session: string, bytes: number): Buffer {
    return Buffer.concat([this.#path, Buffer.from(`/${session}.${bytes}`)]);
  }
}

async function list(volume: Volume, path: Buffer): Promise<readonly Entry[]> {
  try {
    return (await volume.strategies.trees.list(VOLUME_ROOT, path, { limit: 0 })).entries;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return [];
    throw error;
  }
}

/** Of an upload that cannot be looked at: all of it may still come. */
const UNSEEN = { state: 'running', stagedBytes: 0, countedBytes: 0 } as const;

/**
 * What a tenant has put on the way there makes the claim void, which is to nobody's harm but the tenant's. `hidden`:
 * one folder that the proxy may not search, or that is damaged, is no reason to refuse the others of its scope.
 */
async function look(root: Beneath, path: Buffer): Promise<Stat | 'hidden' | undefined> {
  try {
    return await root.lstat(path);
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR, Errno.EXDEV, Errno.ELOOP, Errno.EINVAL)) {
      return undefined;
    }
    if (isErrno(error, Errno.EACCES, Errno.EPERM, Errno.EIO, Errno.ESTALE)) return 'hidden';
    throw error;
  }
}

function touchedNs({ mtimeNs, ctimeNs }: Stat): bigint {
  return mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
}

function ageMs(atNs: bigint): number {
  return Date.now() - Number(atNs / NS_PER_MS);
}

function ignoreExisting(error: unknown): void {
  if (!isErrno(error, Errno.EEXIST)) throw error;
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}
