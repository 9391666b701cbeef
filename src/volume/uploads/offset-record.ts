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

interface RecordState {
  readonly offset: number;
  readonly boot: string;
}

/**
 * How many bytes of a staging file are on stable storage for certain, and under which boot it was last
 * written. The file's size cannot tell: after a power failure it may include ranges that never reached the
 * disk and read as zeros, because writeback follows no order. While the boot is the same, the page cache
 * of a local filesystem still has what a killed process wrote, so its size can be trusted once the file has been synced.
 * Elsewhere (CephFS, NFS, FUSE) the record alone counts.
 *
 * The record of a new upload is empty, which vouches for nothing: it is made without a write, and an upload whose bytes
 * come all at once never writes it. Otherwise it has a fixed width well below a sector and is rewritten in place:
 * rewriting is atomic as far as disks are, and works in a full quota.
 */
export class OffsetRecord {
  private constructor(
    private readonly file: OpenFile,
    /** `undefined` while it is empty. */
    private state: RecordState | undefined,
  ) {}

  /** The record of a new upload, durable but for its name. */
  static async create(directory: Beneath, names: UploadNames): Promise<void> {
    const options = { create: 'exclusive', mode: RECORD_MODE } as const;
    await (await directory.openFile(names.offset, options)).close();
  }

  /**
   * The record of an upload whose staging file has `sizeBytes`; one that says that all of them are durable when there
   * is none, as for uploads begun by other software and those whose record has become the marker of a whole file.
   */
  static async open(
    directory: Beneath,
    names: UploadNames,
    sizeBytes: number,
  ): Promise<OffsetRecord> {
    try {
      const file = await directory.openFile(names.offset, { write: true, durable: true });
      return await closedOnFailure(file, async () => new OffsetRecord(file, await read(file)));
    } catch (error) {
      if (!isErrno(error, Errno.ENOENT)) throw error;
      return OffsetRecord.make(directory, names, sizeBytes);
    }
  }

  /**
   * Written under the marker's name, which beside a staging file says the same, so that no crash leaves an empty record
   * of bytes that are there; and durable with its name, since later ones are written in place.
   */
  private static async make(
    directory: Beneath,
    names: UploadNames,
    offset: number,
  ): Promise<OffsetRecord> {
    const file = await directory.openFile(names.done, {
      write: true,
      durable: true,
      create: 'if-missing',
      mode: RECORD_MODE,
    });
    return closedOnFailure(file, async () => {
      const record = new OffsetRecord(file, undefined);
      await record.commit(offset);
      await directory.rename(names.done, names.offset);
      await directory.syncDirectory();
      return record;
    });
  }

  /** Whether nothing was ever recorded. */
  get isEmpty(): boolean {
    return this.state === undefined;
  }

  /** Bytes from the start of the staging file that survive a power failure. */
  get offset(): number {
    return this.state?.offset ?? 0;
  }

  /** Whether the last writer ran under this boot, so that a page cache of this kernel's still has its unsynced bytes. */
  get isOfThisBoot(): boolean {
    return this.state?.boot === BOOT_ID;
  }

  /** Records `offset`, durably. Call it after the bytes below have been synced. */
  async commit(offset: number): Promise<void> {
    const text = `${String(offset).padStart(OFFSET_DIGITS, '0')} ${BOOT_ID}\n`;
    await this.file.write([Buffer.from(text)], 0);
    this.state = { offset, boot: BOOT_ID };
  }

  /** What the marker of a finished upload says is in its name: it need not take room in a quota. */
  async clear(): Promise<void> {
    if (!this.isEmpty) await this.file.truncate(0);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** An unreadable record vouches for nothing; undefined for an empty one. */
async function read(file: OpenFile): Promise<RecordState | undefined> {
  const buffer = Buffer.alloc(RECORD_BYTES);
  const length = await file.read(buffer, 0);
  if (length === 0) return undefined;
  const [, digits, boot] = RECORD.exec(buffer.toString('latin1', 0, length)) ?? [];
  return { offset: Number(digits ?? 0), boot: boot ?? '' };
}

async function closedOnFailure<Result>(
  file: OpenFile,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    await file.close();
    throw error;
  }
}
