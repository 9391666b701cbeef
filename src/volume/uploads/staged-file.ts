import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { OpenFile } from '../../native/open-file.js';
import { isSameInode, type Stat } from '../../native/stat.js';
import { OffsetRecord } from './offset-record.js';
import { outlivesItsWriter, writesBehind } from './writes-behind.js';
import { STAGING_MODE, UPLOAD_PATH, type UploadNames } from './upload-names.js';

/**
 * The disk starts on what has come in while more is coming, so that the sync before the answer has little
 * left to do: at network speed that took 5 ms instead of 20 for each 16 MiB.
 */
const WRITEBACK_BYTES = 4 * 1024 * 1024;

/** What a tenant can make of a name in `.upload`, other than the regular file that belongs there. */
const NOT_OURS = [Errno.ENOTDIR, Errno.EISDIR, Errno.EINVAL, Errno.ENXIO, Errno.ELOOP, Errno.EXDEV];

/** Runs one blocking step of a long work, such as `Volume.io`. */
export type Slot = <T>(work: () => Promise<T>) => Promise<T>;

/** `held`: another request has the lock, or had it a moment ago. `finished`: its file is in place. `missing`: never begun here, or swept. */
export type StagedState = StagedFile | 'held' | 'finished' | 'missing';

/**
 * An upload's staging file, open and locked, with the directories that lead to it. What it does are
 * plain system calls in order; whoever owns it provides for slots and deadlines. Rejects with SystemError.
 */
export class StagedFile {
  #writebackFrom: number | undefined;
  /** What it was cut to, by us or others, since the record was written: that may promise more. */
  #cutTo = Infinity;

  private constructor(
    readonly vfolder: Beneath,
    readonly directory: Beneath,
    readonly names: UploadNames,
    private readonly file: OpenFile,
    private readonly record: OffsetRecord,
    /** As it was when the lock was taken. */
    readonly stat: Stat,
  ) {}

  /** Takes over `vfolder`: it is closed unless a StagedFile comes back, which then closes it. */
  static async open(vfolder: Beneath, names: UploadNames): Promise<StagedState> {
    const opened: { close(): Promise<void> | void }[] = [vfolder];
    try {
      const directory = await vfolder.descend(UPLOAD_PATH);
      opened.push(directory);
      const file = await openStaging(directory, names);
      if (typeof file === 'string') return await closeAll(opened, file);
      opened.push(file);
      if (!(await file.tryLock())) return await closeAll(opened, 'held');
      const stat = await statAgain(directory, names);
      if (stat === undefined || !isSameInode(stat, file.stat))
        return await closeAll(opened, 'held');
      if (stat.nlink !== 1) return await closeAll(opened, 'missing');
      const record = await OffsetRecord.open(directory, names, stat.size);
      return new StagedFile(vfolder, directory, names, file, record, stat);
    } catch (error) {
      const missing = isErrno(error, Errno.ENOENT, ...NOT_OURS);
      await closeAll(opened, 'missing');
      if (missing) return 'missing';
      throw error;
    }
  }

  /** Bytes that are certainly on stable storage. */
  get durableBytes(): number {
    return Math.min(this.record.offset, this.#cutTo);
  }

  /** Whether a write that fails may tell of bytes that an earlier one seemed to take. */
  tellsLate(): Promise<boolean> {
    return writesBehind(this.file.fd);
  }

  /**
   * Finds out how many bytes the upload really has, and makes them durable: all of them when the writer died but
   * the machine did not, and the filesystem is its own; else those that were recorded here or, in `vouchedBytes`, by
   * another proxy, which keeps no record here. At most `lengthBytes`.
   */
  async settle(lengthBytes: number, vouchedBytes = 0): Promise<number> {
    const size = Math.min(this.stat.size, lengthBytes);
    if (this.stat.size > lengthBytes) await this.file.truncate(lengthBytes);
    if (size <= this.record.offset) {
      this.#cutTo = size;
      return size;
    }
    if ((await this.keepsUnsyncedBytes()) && (await this.syncedUpTo(size))) return size;
    const durable = Math.min(size, Math.max(this.record.offset, vouchedBytes));
    await this.rollBack(durable);
    return durable;
  }

  /**
   * Before the first write: from now on a crash is a crash under this boot. What comes all at once is durable in a
   * moment, or was never acknowledged; it needs a record only where the one there promises too much.
   */
  async prepareWriting(offset: number, comesAtOnce: boolean): Promise<void> {
    if (comesAtOnce && this.record.offset === offset) return;
    if (!this.record.isOfThisBoot || this.record.offset !== offset) {
      await this.record.commit(offset);
    }
    this.#cutTo = Infinity;
  }

  async write(buffers: readonly Buffer[], position: number): Promise<void> {
    await this.file.write(buffers, position);
    const end = buffers.reduce((sum, { length }) => sum + length, position);
    this.#writebackFrom ??= position;
    if (end - this.#writebackFrom < WRITEBACK_BYTES) return;
    // Only a hint: the sync that counts reports what goes wrong with these pages.
    await this.file.startWriteback(this.#writebackFrom, end - this.#writebackFrom).catch(ignore);
    this.#writebackFrom = end;
  }

  /**
   * A second, durable file with the same bytes and permissions, where no rename can go, each step of it when `slot` says
   * so. The caller syncs `directory`.
   */
  async copyTo(directory: Beneath, name: Buffer, slot: Slot): Promise<void> {
    const options = { write: true, create: 'exclusive', mode: STAGING_MODE } as const;
    const copy = await slot(() => directory.openFile(name, options));
    try {
      await this.file.copyTo(copy, slot);
      await slot(() => copy.sync());
    } finally {
      await copy.close();
    }
  }

  /** Makes everything up to `offset` durable, and records it. A failure is final: roll back. */
  async persist(offset: number): Promise<void> {
    await this.persistBytes();
    if (offset !== this.record.offset) await this.record.commit(offset);
    this.#cutTo = Infinity;
  }

  /** The same without the record, for a whole file: the marker that replaces the record says that it is whole. */
  async persistBytes(): Promise<void> {
    await this.file.datasync();
  }

  /** Records that every byte is durable, where the marker cannot stay that says so. They have been synced. */
  async recordWhole(sizeBytes: number): Promise<void> {
    if (sizeBytes !== this.record.offset) await this.record.commit(sizeBytes);
  }

  /**
   * Cuts the file to `offset`, by default to what is durable. Where even that fails nothing may be believed
   * of the file any more, since a later sync could succeed without the lost pages: the upload is dropped.
   */
  async rollBack(offset: number = this.durableBytes): Promise<void> {
    this.#cutTo = Math.min(this.#cutTo, offset);
    try {
      await this.file.truncate(this.#cutTo);
    } catch (error) {
      await this.directory.unlink(this.names.staging);
      throw error;
    }
  }

  /** The file is in its place, durably: what is left says so by its name alone. */
  async clearRecord(): Promise<void> {
    await this.record.clear();
  }

  /** Removes the upload. The staging file goes last: a marker without one would say that it is finished. */
  async remove(): Promise<void> {
    await removeUpload(this.directory, this.names);
  }

  /** Gives up the lock. */
  async close(): Promise<void> {
    await closeAll([this.vfolder, this.directory, this.record, this.file], undefined);
  }

  private async keepsUnsyncedBytes(): Promise<boolean> {
    return this.record.isOfThisBoot && (await outlivesItsWriter(this.file.fd));
  }

  private async syncedUpTo(size: number): Promise<boolean> {
    try {
      await this.persist(size);
      return true;
    } catch (error) {
      if (isErrno(error, Errno.EIO, Errno.ENOSPC, Errno.EDQUOT)) return false;
      throw error;
    }
  }
}

/** Removes what there is of an upload; missing parts are no error. */
export async function removeUpload(directory: Beneath, names: UploadNames): Promise<void> {
  for (const name of [names.done, names.offset, names.staging]) {
    try {
      await directory.unlink(name);
    } catch (error) {
      if (!isErrno(error, Errno.ENOENT)) throw error;
    }
  }
}

async function openStaging(
  directory: Beneath,
  names: UploadNames,
): Promise<OpenFile | 'finished' | 'missing'> {
  try {
    return await directory.openFile(names.staging, { write: true });
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT)) throw error;
  }
  try {
    await directory.lstat(names.done);
    return 'finished';
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT)) throw error;
    return 'missing';
  }
}

/**
 * While we waited for the lock its holder may have moved the file into place: then this is somebody's
 * finished file. And a file with a second name could be changed through that while it is being written.
 */
async function statAgain(directory: Beneath, names: UploadNames): Promise<Stat | undefined> {
  try {
    return await directory.lstat(names.staging);
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return undefined;
    throw error;
  }
}

async function closeAll<Result>(
  opened: readonly { close(): Promise<void> | void }[],
  result: Result,
): Promise<Result> {
  for (const one of opened.toReversed()) {
    try {
      await one.close();
    } catch (error) {
      // What counts was synced before, and close(2) frees the descriptor even so. The others are to be freed too, and
      // a client that was cut off is to hear why its request failed.
      if (!isErrno(error)) throw error;
    }
  }
  return result;
}

function ignore(): void {}
