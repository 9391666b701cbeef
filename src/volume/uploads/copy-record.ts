import type { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { AT_SYMLINK_NOFOLLOW } from '../../native/constants.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isSymlink } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';

const NS_PER_MS = 1_000_000n;
const TOUCH_EVERY_MS = 60_000;
/** Where there can be no record the copy is made all the same. */
const NO_RECORD = [Errno.ENAMETOOLONG, Errno.EPERM, Errno.EDQUOT];

/**
 * Tells that a copy is being made under a name of its own, where no rename can bring a file or a tree: a symlink in
 * `.upload`, `<id>.copy`, to the place of the copy in the vfolder. What a crash leaves of the copy is found by it, and
 * swept when the record was not touched for long; see sweep-copies.ts. Rejects with SystemError.
 */
export class CopyRecord {
  #touchedMs = Date.now();

  private constructor(
    private readonly uploads: Beneath,
    private readonly name: Buffer,
  ) {}

  /**
   * May be repeated with the same `id`, when a copy is made anew. Rejects with EEXIST when a tenant has put something
   * else in its place.
   *
   * @param uploads the directory of the running uploads
   * @param id a session id
   * @param copy where the copy is made; its name is one of `copyNames(id)`
   */
  static async begin(uploads: Beneath, id: string, copy: RelPath): Promise<CopyRecord> {
    const name = Buffer.from(`${id}.copy`);
    try {
      await calls.symlinkat(copy.toBytes(), uploads.fd, name);
      await uploads.syncDirectory();
    } catch (error) {
      const isThere = isErrno(error, Errno.EEXIST) && isSymlink(await uploads.lstat(name));
      if (!isThere && !isErrno(error, ...NO_RECORD)) throw error;
    }
    return new CopyRecord(uploads, name);
  }

  /** Called now and then while the copy is being made. */
  async touch(): Promise<void> {
    const nowMs = Date.now();
    if (nowMs - this.#touchedMs < TOUCH_EVERY_MS) return;
    this.#touchedMs = nowMs;
    const nowNs = BigInt(nowMs) * NS_PER_MS;
    await calls
      .utimensat(this.uploads.fd, this.name, nowNs, nowNs, AT_SYMLINK_NOFOLLOW)
      .catch(ignoreMissing);
  }

  /** The copy has been renamed into place, or removed. */
  async end(): Promise<void> {
    await this.uploads.unlink(this.name).catch(ignoreMissing);
  }
}

/** The names that the copy of a record may have: of a file that was uploaded, of an entry that is moved. */
export function copyNames(id: string): { readonly uploading: Buffer; readonly moving: Buffer } {
  return { uploading: Buffer.from(`.uploading-${id}`), moving: Buffer.from(`.moving-${id}`) };
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}
