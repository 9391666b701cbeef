import { S_IFDIR, S_IFLNK } from '../../native/constants.js';
import { decodeStatx, type Stat } from '../../native/stat.js';
import type { StatBuffer } from '../../native/stat-buffer.js';
import type { Entry, EntryType, ScannedEntry } from '../contract/entry.js';

/**
 * Entries on their way from a worker thread: packed into one block of bytes each few hundred, which is handed
 * over rather than copied, and taken apart in the thread that uses them. A record is the length of the name
 * (u16) and of the link target (u16), the part of `struct statx` that is used, the name, the target.
 */
const LENGTHS_BYTES = 4;
const STAT_BYTES = 144;
const HEADER_BYTES = LENGTHS_BYTES + STAT_BYTES;
const NOTHING = Buffer.alloc(0);

/** One batch: what fits, with room for the longest record. */
const BATCH_BYTES = 96 * 1024;
const LONGEST_RECORD = HEADER_BYTES + 2 * 4096;
/** A batch is sent when it is this old although it is not full, so that a slow volume shows something. */
const MAX_AGE_MS = 50;

export class BatchWriter {
  #bytes = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #length = 0;
  #startedAt = 0;

  /** `name` is copied; at most 4095 bytes of name and of target. */
  add(stat: StatBuffer, name: Buffer, target: Buffer = NOTHING): void {
    if (this.#length === 0) this.#startedAt = performance.now();
    const bytes = this.#bytes;
    let at = bytes.writeUInt16LE(name.length, this.#length);
    at = bytes.writeUInt16LE(target.length, at);
    at += stat.bytes.copy(bytes, at, 0, STAT_BYTES);
    at += name.copy(bytes, at);
    at += target.copy(bytes, at);
    this.#length = at;
  }

  get isFull(): boolean {
    return this.#length > BATCH_BYTES - LONGEST_RECORD;
  }

  /** Whether it should be sent: asked now and then, not for every entry. */
  get isDue(): boolean {
    return this.#length > 0 && performance.now() - this.#startedAt > MAX_AGE_MS;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** What was added since the last time, in a block of its own. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafeSlow(BATCH_BYTES);
    this.#length = 0;
    return taken;
  }
}

/** The entries of a batch that `list` made. Names and targets stay views of `batch`. */
export function decodeEntries(batch: Uint8Array): Entry[] {
  return decode(batch, (stat, name, target) => ({
    name,
    type: typeOf(stat),
    mode: stat.mode,
    sizeBytes: stat.size,
    ctimeNs: stat.ctimeNs,
    mtimeNs: stat.mtimeNs,
    ...(typeOf(stat) === 'SYMLINK' && { target }),
  }));
}

/** The entries of a batch that `scan` made. */
export function decodeScannedEntries(batch: Uint8Array): ScannedEntry[] {
  return decode(batch, (stat, path) => ({
    path,
    type: typeOf(stat),
    mode: stat.mode,
    sizeBytes: stat.size,
    mtimeNs: stat.mtimeNs,
    dev: stat.dev,
    ino: stat.ino,
  }));
}

function decode<Result>(
  batch: Uint8Array,
  make: (stat: Stat, name: Buffer, target: Buffer) => Result,
): Result[] {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
  const results: Result[] = [];
  for (let at = 0; at < bytes.length;) {
    const nameAt = at + HEADER_BYTES;
    const targetAt = nameAt + bytes.readUInt16LE(at);
    const end = targetAt + bytes.readUInt16LE(at + 2);
    const stat = decodeStatx(bytes.subarray(at + LENGTHS_BYTES, nameAt));
    results.push(make(stat, bytes.subarray(nameAt, targetAt), bytes.subarray(targetAt, end)));
    at = end;
  }
  return results;
}

/** Special files are `FILE` on this wire. */
function typeOf({ mode }: Stat): EntryType {
  const type = mode & 0o170000;
  return type === S_IFDIR ? 'DIRECTORY' : type === S_IFLNK ? 'SYMLINK' : 'FILE';
}
