import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, S_IFMT } from './constants.js';
import { functions, type Pointer } from './functions.js';
import { decodeStatx, STATX_BUFFER_BYTES, STATX_MASK, statx, type Stat } from './stat.js';

const EMPTY_NAME = Buffer.from([0]);

/**
 * statx(2) into the same bytes again and again, for walks over millions of entries; fields are decoded when
 * they are asked for. Synchronous: for worker threads.
 */
export class StatBuffer {
  /** `struct statx` of the last call. */
  readonly bytes = Buffer.allocUnsafeSlow(STATX_BUFFER_BYTES);

  /** Of the entry itself, links not followed. `name` ends in NUL; `mask` is a set of STATX_* that will be read. */
  readEntry(dirfd: number, name: Pointer, mask = STATX_MASK): void {
    functions.statx.sync(dirfd, name, AT_SYMLINK_NOFOLLOW, mask, this.bytes);
  }

  /** Of an open file or directory. */
  readOpen(fd: number): void {
    functions.statx.sync(fd, EMPTY_NAME, AT_EMPTY_PATH, STATX_MASK, this.bytes);
  }

  /** st_mode, type bits included. */
  get mode(): number {
    return statx.mode(this.bytes, 0);
  }

  /** S_IF* of the mode. */
  get type(): number {
    return this.mode & S_IFMT;
  }

  /** st_size in bytes. */
  get size(): number {
    return statx.size(this.bytes, 0);
  }

  /** All of it, as a value that the next call leaves alone. */
  snapshot(): Stat {
    return decodeStatx(this.bytes);
  }
}
