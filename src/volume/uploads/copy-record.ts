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

/** No path in normal form holds it. */
const BETWEEN = Buffer.from('//');
const SLASH = 0x2f;

/**
 * Tells that a copy is being made under a name of its own, where no rename can bring a file or a tree: a symlink in
 * `.upload`, `<id>.copy`, to the place of the copy in the vfolder; for a move also, behind `//`, to what is moved.
 * What a crash leaves of the copy is found by it, and swept when the record was not touched for long; see
 * sweep-copies.ts. A move whose copy is in place has the record `<id>.moved` instead. Rejects with SystemError.
 */
export class CopyRecord {
  #touchedMs = Date.now();
  #name: Buffer;

  private constructor(
    private readonly uploads: Beneath,
    private readonly id: string,
    /** False where no record could be made. */
    readonly isThere: boolean,
  ) {
    this.#name = recordName(id, 'copy');
  }

  /**
   * May be repeated with the same `id`, when a copy is made anew. Rejects with EEXIST when a tenant has put something
   * else in its place.
   *
   * @param uploads the directory of the running uploads
   * @param id a session id
   * @param copy where the copy is made; its name is one of `copyNames(id)`
   * @param source what is moved, if it is
   */
  static async begin(
    uploads: Beneath,
    id: string,
    copy: RelPath,
    source?: RelPath,
  ): Promise<CopyRecord> {
    const name = recordName(id, 'copy');
    const target = source ? [copy.toBytes(), BETWEEN, source.toBytes()] : [copy.toBytes()];
    let isThere = true;
    try {
      await calls.symlinkat(Buffer.concat(target), uploads.fd, name);
      await uploads.syncDirectory();
    } catch (error) {
      isThere = isErrno(error, Errno.EEXIST) && isSymlink(await uploads.lstat(name));
      if (!isThere && !isErrno(error, ...NO_RECORD)) throw error;
    }
    return new CopyRecord(uploads, id, isThere);
  }

  /** The copy of a move is in place, durably: what was moved may go now. */
  async markMoved(): Promise<void> {
    await this.rename('moved');
  }

  /** What was moved may not go after all. */
  async unmarkMoved(): Promise<void> {
    await this.rename('copy');
  }

  /** Called now and then while the copy is being made. */
  async touch(): Promise<void> {
    const nowMs = Date.now();
    if (nowMs - this.#touchedMs < TOUCH_EVERY_MS) return;
    this.#touchedMs = nowMs;
    const nowNs = BigInt(nowMs) * NS_PER_MS;
    await calls
      .utimensat(this.uploads.fd, this.#name, nowNs, nowNs, AT_SYMLINK_NOFOLLOW)
      .catch(ignoreMissing);
  }

  /** The copy has been renamed into place, or removed. */
  async end(): Promise<void> {
    await this.uploads.unlink(this.#name).catch(ignoreMissing);
  }

  private async rename(kind: RecordKind): Promise<void> {
    const name = recordName(this.id, kind);
    await this.uploads.rename(this.#name, name);
    this.#name = name;
    await this.uploads.syncDirectory();
  }
}

type RecordKind = 'copy' | 'moved';

function recordName(id: string, kind: RecordKind): Buffer {
  return Buffer.from(`${id}.${kind}`);
}

export interface CopyNames {
  /** The copy of a file that was uploaded. */
  readonly uploading: Buffer;
  /** The copy of an entry that is moved. */
  readonly moving: Buffer;
  /** The entry itself, from when its copy is about to appear until it is removed. */
  readonly moved: Buffer;
}

/** The names that belong to a record. */
export function copyNames(id: string): CopyNames {
  const name = (kind: keyof CopyNames): Buffer => Buffer.from(`.${kind}-${id}`);
  return { uploading: name('uploading'), moving: name('moving'), moved: name('moved') };
}

/** What a record tells, by what the link holds. It is a tenant's to forge. */
export interface RecordedCopy {
  /** `undefined` when it has not the name of a copy. */
  readonly copy: Buffer | undefined;
  /** Of a move: where the entry was, and where it is hidden meanwhile. */
  readonly source: { readonly from: Buffer; readonly hidden: Buffer } | undefined;
}

export function recordedCopy(id: string, target: Buffer): RecordedCopy {
  const cut = target.indexOf(BETWEEN);
  const copy = cut < 0 ? target : target.subarray(0, cut);
  const { uploading, moving, moved } = copyNames(id);
  const name = copy.subarray(copy.lastIndexOf(SLASH) + 1);
  const isCopy = name.equals(uploading) || name.equals(moving);
  if (cut < 0) return { copy: isCopy ? copy : undefined, source: undefined };
  const from = target.subarray(cut + BETWEEN.length);
  const hidden = Buffer.concat([from.subarray(0, from.lastIndexOf(SLASH) + 1), moved]);
  return { copy: isCopy ? copy : undefined, source: { from, hidden } };
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}
