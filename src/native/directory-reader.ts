import { DT_UNKNOWN } from './dirent.js';
import { Errno, isErrno } from './errno.js';
import { addressOf } from './ffi.js';
import { functions } from './functions.js';

const BUFFER_BYTES = 64 * 1024;
const DOT = 0x2e;
/** `struct linux_dirent64`: ino u64, offset i64, length u16, type u8, name up to its NUL. */
const OFFSET_AT = 8;
const LENGTH_AT = 16;
const TYPE_AT = 18;
const NAME_AT = 19;

/**
 * A cursor over the entries of a directory held open, for walks over millions of them: nothing is
 * allocated per entry unless its name is asked for. Synchronous: for worker threads. May be started again
 * on another directory.
 */
export class DirectoryReader {
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  readonly #address = addressOf(this.#buffer);
  #fd = -1;
  #end = 0;
  #next = 0;
  #entry = 0;

  /** Names that are passed over, as `.` and `..` are. */
  hidden: readonly Buffer[] = [];

  /** DT_* of the current entry; DT_UNKNOWN where the filesystem does not say. */
  type = DT_UNKNOWN;

  /** Begins at the position of `fd`, which stays the caller's. */
  start(fd: number): void {
    this.#fd = fd;
    this.#end = 0;
    this.#next = 0;
  }

  /** Moves to the next entry, `.` and `..` left out; false at the end, or when the directory has been removed. */
  next(): boolean {
    for (;;) {
      if (this.#next >= this.#end && !this.#fill()) return false;
      const entry = this.#next;
      this.#next =
        entry + this.#buffer[entry + LENGTH_AT]! + this.#buffer[entry + LENGTH_AT + 1]! * 256;
      if (this.#isDots(entry + NAME_AT) || this.#isHidden(entry + NAME_AT)) continue;
      this.#entry = entry;
      this.type = this.#buffer[entry + TYPE_AT]!;
      return true;
    }
  }

  /** Where the current entry's NUL-terminated name is, for `functions.*`; good until `next`. */
  get nameAddress(): number {
    return this.#address + this.#entry + NAME_AT;
  }

  /** A copy of the current entry's name. */
  name(): Buffer {
    const start = this.#entry + NAME_AT;
    return Buffer.from(this.#buffer.subarray(start, this.#buffer.indexOf(0, start)));
  }

  /** Copies the current entry's name to `target` at `at`: its length in bytes. */
  copyName(target: Buffer, at: number): number {
    const start = this.#entry + NAME_AT;
    return this.#buffer.copy(target, at, start, this.#buffer.indexOf(0, start));
  }

  /** A hash of the current entry's name, 32 bits (FNV-1a, folded so that low bits depend on all of it). */
  nameHash(): number {
    const buffer = this.#buffer;
    let hash = 0x811c9dc5;
    for (let at = this.#entry + NAME_AT; buffer[at] !== 0; at++) {
      hash = Math.imul(hash ^ buffer[at]!, 0x01000193);
    }
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  /** Position behind the current entry, for lseek on the same directory: opaque, may use all 64 bits. */
  offset(): bigint {
    return this.#buffer.readBigInt64LE(this.#entry + OFFSET_AT);
  }

  #fill(): boolean {
    this.#next = 0;
    try {
      this.#end = functions.getdents64.sync(this.#fd, this.#buffer, BUFFER_BYTES);
    } catch (error) {
      this.#end = 0;
      if (!isErrno(error, Errno.ENOENT)) throw error;
    }
    return this.#end > 0;
  }

  #isHidden(name: number): boolean {
    if (this.hidden.length === 0) return false;
    const buffer = this.#buffer;
    const bytes = buffer.subarray(name, buffer.indexOf(0, name));
    return this.hidden.some((hidden) => hidden.equals(bytes));
  }

  #isDots(name: number): boolean {
    const buffer = this.#buffer;
    if (buffer[name] !== DOT) return false;
    return buffer[name + 1] === 0 || (buffer[name + 1] === DOT && buffer[name + 2] === 0);
  }
}
