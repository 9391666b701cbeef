import { S_IFDIR, S_IFLNK } from '../../native/constants.js';
import { statx } from '../../native/stat.js';
import type { StatBuffer } from '../../native/stat-buffer.js';
import type { Entry, EntryType, ScannedEntry } from '../contract/entry.js';

/**
 * Entries on their way from a worker thread: packed into one block of bytes each few hundred, which is handed
 * over rather than copied, and taken apart in the thread that uses them. A record is the length of the name
 * (u16), of the link target (u16) and of the content (u32, 0 without one), the part of `struct statx` that is used,
 * the name, the target, the content.
 */
const LENGTHS_BYTES = 8;
const STAT_BYTES = 144;
const HEADER_BYTES = LENGTHS_BYTES + STAT_BYTES;
const NOTHING = Buffer.alloc(0);

/** One batch: what fits, with room for the longest record but for its content, which has more. */
const BATCH_BYTES = 96 * 1024;
const LONGEST_RECORD = HEADER_BYTES + 2 * 4096;
/** A batch is sent when it is this old although it is not full, so that a slow volume shows something. */
const MAX_AGE_MS = 50;

interface Extras {
  /** Of a link. */
  readonly target?: Buffer;
  /** Of a file. */
  readonly content?: Buffer;
}

export class BatchWriter {
  #bytes: Buffer;
  #length = 0;
  #startedAt = 0;

  /** @param maxContentBytes longest content of an entry */
  constructor(private readonly maxContentBytes = 0) {
    this.#bytes = this.#newBlock();
  }

  /** Everything is copied; at most 4095 bytes of name and of target. */
  add(stat: StatBuffer, name: Buffer, { target = NOTHING, content = NOTHING }: Extras = {}): void {
    if (this.#length === 0) this.#startedAt = performance.now();
    const bytes = this.#bytes;
    let at = bytes.writeUInt16LE(name.length, this.#length);
    at = bytes.writeUInt16LE(target.length, at);
    at = bytes.writeUInt32LE(content.length, at);
    at += stat.bytes.copy(bytes, at, 0, STAT_BYTES);
    at += name.copy(bytes, at);
    at += target.copy(bytes, at);
    at += content.copy(bytes, at);
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
    this.#bytes = this.#newBlock();
    this.#length = 0;
    return taken;
  }

  #newBlock(): Buffer {
    return Buffer.allocUnsafeSlow(BATCH_BYTES + this.maxContentBytes);
  }
}

/** The entries of a batch that `list` made. Names and targets stay views of `batch`. */
export function decodeEntries(batch: Uint8Array): Entry[] {
  return decode(batch, (bytes, at, nameAt, targetAt, contentAt) => {
    const mode = statx.mode(bytes, at);
    const entry = {
      name: bytes.subarray(nameAt, targetAt),
      type: typeOf(mode),
      mode,
      sizeBytes: statx.size(bytes, at),
      ctimeNs: statx.ctimeNs(bytes, at),
      mtimeNs: statx.mtimeNs(bytes, at),
    };
    if (entry.type !== 'SYMLINK') return entry;
    return { ...entry, target: bytes.subarray(targetAt, contentAt) };
  });
}

/** The entries of a batch that `scan` made. Paths and contents stay views of `batch`. */
export function decodeScannedEntries(batch: Uint8Array): ScannedEntry[] {
  return decode(batch, (bytes, at, pathAt, targetAt, contentAt, end) => {
    const mode = statx.mode(bytes, at);
    return {
      path: bytes.subarray(pathAt, targetAt),
      type: typeOf(mode),
      mode,
      sizeBytes: statx.size(bytes, at),
      mtimeNs: statx.mtimeNs(bytes, at),
      dev: statx.dev(bytes, at),
      ino: statx.ino(bytes, at),
      content: contentAt === end ? undefined : bytes.subarray(contentAt, end),
    };
  });
}

/** Where the parts of a record begin, and where it ends. */
type Make<Result> = (
  bytes: Buffer,
  stat: number,
  name: number,
  target: number,
  content: number,
  end: number,
) => Result;

function decode<Result>(batch: Uint8Array, make: Make<Result>): Result[] {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
  const results: Result[] = [];
  for (let at = 0; at < bytes.length;) {
    const name = at + HEADER_BYTES;
    const target = name + bytes.readUInt16LE(at);
    const content = target + bytes.readUInt16LE(at + 2);
    const end = content + bytes.readUInt32LE(at + 4);
    results.push(make(bytes, at + LENGTHS_BYTES, name, target, content, end));
    at = end;
  }
  return results;
}

/** Special files are `FILE` on this wire. */
function typeOf(mode: number): EntryType {
  const type = mode & 0o170000;
  return type === S_IFDIR ? 'DIRECTORY' : type === S_IFLNK ? 'SYMLINK' : 'FILE';
}
