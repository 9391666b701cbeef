import { sync } from '../../../native/calls.js';
import {
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_TENANT,
  O_WRONLY,
  SEEK_DATA,
  SEEK_HOLE,
} from '../../../native/constants.js';
import { Errno, isErrno } from '../../../native/errno.js';
import type { Stat } from '../../../native/stat.js';
import type { Pace, Walk } from '../walk.js';

/** Copied between two yields: a few milliseconds of a slow disk. */
const STRETCH_BYTES = 8 * 1024 * 1024;
const BUFFER_BYTES = 1024 * 1024;
const BLOCK_BYTES = 512;
const ENXIO = 6;

/** What says that this pair of filesystems cannot do it, for any file. */
const NEVER = [Errno.EOPNOTSUPP, Errno.EXDEV, Errno.ENOTTY, Errno.ENOSYS, Errno.EPERM];

/**
 * Copies the bytes of files the cheapest way there is: shared blocks (FICLONE), else in the kernel
 * (copy_file_range(2), which may share them too), else through this process. Remembers for one copy
 * what its filesystems cannot do.
 */
export class FileContent {
  #canClone = true;
  #canCopyInKernel = true;
  #buffer: Buffer | undefined;

  constructor(private readonly pace: Pace) {}

  /** From the beginning of `source`, which had `stat` when it was opened, into the new and empty `target`. */
  *copy(source: number, target: number, stat: Stat): Walk<void> {
    if (stat.size === 0) return;
    if (this.#clone(source, target)) {
      this.pace.progress.bytes += stat.size;
    } else if (stat.blocks * BLOCK_BYTES < stat.size) {
      yield* this.#copyData(source, target, stat.size);
    } else {
      yield* this.#copyRange(source, target, 0, stat.size);
    }
  }

  #clone(source: number, target: number): boolean {
    if (!this.#canClone) return false;
    try {
      sync.ficlone(target, source);
      return true;
    } catch (error) {
      if (!isErrno(error, Errno.EINVAL, ...NEVER)) throw error;
      // EINVAL is about this file, a swap file for example.
      if (error.errno !== Errno.EINVAL) this.#canClone = false;
      return false;
    }
  }

  /** What is not a hole. */
  *#copyData(source: number, target: number, size: number): Walk<void> {
    for (let end = 0; end < size;) {
      const start = nextData(source, end);
      if (start === undefined || start >= size) break;
      end = Math.min(size, sync.lseek(source, start, SEEK_HOLE));
      // It has holes, and the filesystem does not tell where: NFSv3 cannot.
      if (start === 0 && end === size) return yield* this.#copyNonZero(source, target, size);
      // Short when the file has shrunk: what was holes to the end then is not there any more.
      if ((yield* this.#copyRange(source, target, start, end - start)) < end - start) return;
    }
    sync.ftruncate(target, size);
  }

  /** Leaves out stretches of zeroes, which are what holes read as. */
  *#copyNonZero(source: number, target: number, size: number): Walk<void> {
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES));
    for (let at = 0; at < size;) {
      const read = sync.read(source, buffer.subarray(0, Math.min(BUFFER_BYTES, size - at)), at);
      if (read === 0) return;
      const bytes = buffer.subarray(0, read);
      const done = isZero(bytes) ? read : sync.writev(target, [bytes], at);
      at += done;
      this.pace.progress.bytes += done;
      yield;
    }
    sync.ftruncate(target, size);
  }

  /** The bytes copied: fewer than asked for when the file has shrunk. */
  *#copyRange(source: number, target: number, start: number, length: number): Walk<number> {
    let copied = 0;
    while (copied < length) {
      const count = Math.min(STRETCH_BYTES, length - copied);
      const moved = this.#move(source, target, start + copied, count);
      if (moved === 0) break;
      copied += moved;
      this.pace.progress.bytes += moved;
      if (moved > BUFFER_BYTES || this.pace.step()) yield;
    }
    return copied;
  }

  #move(source: number, target: number, at: number, count: number): number {
    if (this.#canCopyInKernel) {
      try {
        const moved = sync.copyFileRange(source, at, target, at, count);
        // Some filesystems answer 0 for what they cannot do: reading tells the end of the file for certain.
        if (moved > 0) return moved;
      } catch (error) {
        if (!isErrno(error, Errno.EINVAL, ...NEVER)) throw error;
        if (error.errno !== Errno.EINVAL) this.#canCopyInKernel = false;
      }
    }
    this.#buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
    const read = sync.read(source, this.#buffer.subarray(0, Math.min(count, BUFFER_BYTES)), at);
    return read === 0 ? 0 : sync.writev(target, [this.#buffer.subarray(0, read)], at);
  }
}

/** Each byte equals the one before it, and the first is 0. */
function isZero(bytes: Buffer): boolean {
  return bytes[0] === 0 && bytes.subarray(1).equals(bytes.subarray(0, -1));
}

/** Opens a tenant's file for reading; what it is must still be looked at. */
export function openSource(dirfd: number, name: Buffer): number {
  return sync.openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_TENANT);
}

/** Creates a file that only we can read until it is whole. */
export function createTarget(dirfd: number, name: Buffer): number {
  return sync.openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_TENANT, 0o600);
}

function nextData(fd: number, from: number): number | undefined {
  try {
    return sync.lseek(fd, from, SEEK_DATA);
  } catch (error) {
    if (isErrno(error, ENXIO)) return undefined;
    throw error;
  }
}
