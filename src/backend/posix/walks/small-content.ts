import { statfsSync } from 'node:fs';
import { answersAtOnce, readAtOnce, TMPFS_MAGIC } from '../../../native/at-once.js';
import { sync } from '../../../native/calls.js';
import { O_NOFOLLOW, O_RDONLY, O_TENANT, S_IFREG } from '../../../native/constants.js';
import type { DirectoryReader } from '../../../native/directory-reader.js';
import { DT_REG } from '../../../native/dirent.js';
import { isErrno } from '../../../native/errno.js';
import { functions } from '../../../native/functions.js';
import type { StatBuffer } from '../../../native/stat-buffer.js';

/** Never through a link, never blocking on what a tenant put in a file's place. */
const OPEN_FILE = O_RDONLY | O_NOFOLLOW | O_TENANT;

/** Reads small files when a walk comes to them, as far as they are in memory. Synchronous: for worker threads. */
export class SmallContent {
  readonly #buffer: Buffer;

  private constructor(
    maxBytes: number,
    /** Reads a file from memory: its length, or undefined when the disk has to be asked. */
    private readonly readCached: (
      fd: number,
      buffer: Buffer,
      position: number,
    ) => number | undefined,
  ) {
    this.#buffer = Buffer.allocUnsafeSlow(maxBytes);
  }

  /**
   * Undefined where nothing is wanted, or where opening a file may ask a server: a walk would wait for one file after
   * the other, where those who open files later wait for several at once.
   */
  static beneath(directory: number, maxBytes: number): SmallContent | undefined {
    if (maxBytes === 0) return undefined;
    const { type } = statfsSync(`/proc/self/fd/${directory}`);
    if (!answersAtOnce(type)) return undefined;
    // tmpfs knows no reads that do not wait, and none that do.
    return new SmallContent(maxBytes, type === TMPFS_MAGIC ? sync.read : readAtOnce);
  }

  /**
   * All of the file that `entry` of the directory `dirfd` is, and into `stat` what it says of itself; good until the
   * next call. Undefined for whatever is not a small file, or cannot be read now: `stat` then says nothing.
   */
  read(stat: StatBuffer, dirfd: number, entry: DirectoryReader): Buffer | undefined {
    if (entry.type !== DT_REG) return undefined;
    try {
      const fd = functions.openat.sync(dirfd, entry.nameAddress, OPEN_FILE, 0);
      try {
        return this.#readAll(stat, fd);
      } finally {
        sync.close(fd);
      }
    } catch (error) {
      // Whoever opens it again meets the same, and knows what it means there.
      if (isErrno(error)) return undefined;
      throw error;
    }
  }

  #readAll(stat: StatBuffer, fd: number): Buffer | undefined {
    stat.readOpen(fd);
    const { size } = stat;
    if (stat.type !== S_IFREG || size === 0 || size > this.#buffer.length) return undefined;
    const content = this.#buffer.subarray(0, size);
    return this.readCached(fd, content, 0) === size ? content : undefined;
  }
}
