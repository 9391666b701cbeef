import { readFileSync } from 'node:fs';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { OpenFile } from '../../native/open-file.js';
import { RECORD_MODE, type UploadNames } from './upload-names.js';

/** Names this boot of this kernel, and so its page cache (random(4)). */
const BOOT_ID = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

const OFFSET_DIGITS = 16;
const RECORD = /^(\d{16}) ([0-9a-f-]{36})\n$/;
/** Size of a record. */
export const RECORD_BYTES = OFFSET_DIGITS + 1 + 36 + 1;

/**
 * How many bytes of a staging file are on stable storage for certain, and under which boot it was last
 * written. The file's size cannot tell: after a power failure it may include ranges that never reached the
 * disk and read as zeros, because writeback follows no order. While the boot is the same, the page cache
 * of a local filesystem still has what a killed process wrote, so its size can be trusted once the file has been synced.
 * Elsewhere (CephFS, NFS, FUSE) the record alone counts.
 *
 * The record has a fixed width well below a sector and is rewritten in place: rewriting is atomic as far
 * as disks are, and works in a full quota.
 */
export class OffsetRecord {
  private constructor(
    private readonly file: OpenFile,
    private state: { readonly offset: number; readonly boot: string },
  ) {}

  /** The record of a new upload, durable but for its name. */
  static async create(directory: Beneath, names: UploadNames): Promise<OffsetRecord> {
    return OffsetRecord.make(directory, names, 0);
  }

  /**
   * The record of an upload; one with `fallback` when there is none, as for uploads begun by other software and those
   * whose record has become the marker of a whole file. An empty one is such a record whose maker was killed before
   * it could write: of a new upload the record is written before there is a staging file.
   */
  static async open(
    directory: Beneath,
    names: UploadNames,
    fallback: number,
  ): Promise<OffsetRecord> {
    try {
      const file = await directory.openFile(names.offset, { write: true, durable: true });
      try {
        const state = await read(file);
        return state ? new OffsetRecord(file, state) : await OffsetRecord.fill(file, fallback);
      } catch (error) {
        await file.close();
        throw error;
      }
    } catch (error) {
      if (!isErrno(error, Errno.ENOENT)) throw error;
      return OffsetRecord.make(directory, names, fallback);
    }
  }

  private static async make(
    directory: Beneath,
    names: UploadNames,
    offset: number,
  ): Promise<OffsetRecord> {
    const file = await directory.openFile(names.offset, {
      write: true,
      durable: true,
      create: 'exclusive',
      mode: RECORD_MODE,
    });
    try {
      return await OffsetRecord.fill(file, offset);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private static async fill(file: OpenFile, offset: number): Promise<OffsetRecord> {
    const record = new OffsetRecord(file, { offset, boot: '' });
    await record.commit(offset);
    return record;
  }

  /** Bytes from the start of the staging file that survive a power failure. */
  get offset(): number {
    return this.state.offset;
  }

  /** Whether the last writer ran under this boot, so that a page cache of this kernel's still has its unsynced bytes. */
  get isOfThisBoot(): boolean {
    return this.state.boot === BOOT_ID;
  }

  /** Records `offset`, durably. Call it after the bytes below have been synced. */
  async commit(offset: number): Promise<void> {
    const text = `${String(offset).padStart(OFFSET_DIGITS, '0')} ${BOOT_ID}\n`;
    await this.file.write([Buffer.from(text)], 0);
    this.state = { offset, boot: BOOT_ID };
  }

  /** What the marker of a finished upload says is in its name: it need not take room in a quota. */
  clear(): Promise<void> {
    return this.file.truncate(0);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** An unreadable record vouches for nothing; undefined for an empty one. */
async function read(file: OpenFile): Promise<{ offset: number; boot: string } | undefined> {
  const buffer = Buffer.alloc(RECORD_BYTES);
  const length = await file.read(buffer, 0);
  if (length === 0) return undefined;
  const [, digits, boot] = RECORD.exec(buffer.toString('latin1', 0, length)) ?? [];
  return { offset: Number(digits ?? 0), boot: boot ?? '' };
}
