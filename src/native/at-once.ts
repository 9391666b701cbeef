import { statfs } from 'node:fs/promises';
import { sync } from './calls.js';
import { AT_EMPTY_PATH, AT_STATX_DONT_SYNC } from './constants.js';
import { Errno, isErrno, SystemError } from './errno.js';
import { addressOf } from './ffi.js';
import { functions } from './functions.js';
import type { Stat } from './stat.js';

/**
 * Calls made on this thread instead of libuv's pool, when the kernel can answer them from memory. The hop to the
 * pool and back costs 30 to 100 µs of CPU, the call itself 2 to 6: a small download is eight calls.
 *
 * Nothing here may wait. Names are looked up with RESOLVE_CACHED and bytes read with RWF_NOWAIT, with which the
 * kernel gives up where it would have to ask a disk, and only on filesystems that ask no server for anything:
 * those that do look at their mounts' attributes when a cached name is opened. Whoever gets `undefined` makes
 * the same call on the pool, whose answer counts.
 */

/** openat2(2), Linux 5.12: only what is in the cache of names. */
const RESOLVE_CACHED = 0x20;
/** preadv2(2): only what is in the page cache. */
const RWF_NOWAIT = 0x8;

export const TMPFS_MAGIC = 0x01021994;
/** statfs(2) `f_type` of filesystems whose cached names and pages are answered without asking anybody: linux/magic.h. */
const LOCAL_FILESYSTEMS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  TMPFS_MAGIC,
]);

let knowsCachedLookups = true;

/** Whether what is beneath the directory `fd` may be asked for at once. */
export async function canAnswerAtOnce(fd: number): Promise<boolean> {
  const { type } = await statfs(`/proc/self/fd/${fd}`);
  return answersAtOnce(type);
}

/** Whether a filesystem of this statfs(2) `f_type` may be asked at once. */
export function answersAtOnce(type: number): boolean {
  return LOCAL_FILESYSTEMS.has(type);
}

/** openat2(2) without O_CREAT; undefined when the pool has to find out. */
export function openAtOnce(
  dirfd: number,
  path: Buffer,
  flags: number,
  resolve: number,
): number | undefined {
  if (!knowsCachedLookups) return undefined;
  try {
    return sync.openat2Once(dirfd, path, flags, 0, resolve | RESOLVE_CACHED);
  } catch (error) {
    // EINVAL: an older kernel. Other errors are met again, and reported, by the call on the pool.
    if (isErrno(error, Errno.EINVAL)) knowsCachedLookups = false;
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

const NO_NAME = Buffer.alloc(0);

/** statx(2) of something open, as the kernel has it in memory; undefined when the pool has to find out. */
export function statAtOnce(fd: number): Stat | undefined {
  try {
    // Something else may have been mounted over a directory since, which must not be waited for here.
    return sync.statx(fd, NO_NAME, AT_EMPTY_PATH | AT_STATX_DONT_SYNC);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

const iovec = Buffer.allocUnsafeSlow(16);

/** preadv2(2) into the whole of `buffer`: bytes read, 0 at the end of the file; undefined when the disk has to be asked. */
export function readAtOnce(fd: number, buffer: Uint8Array, position: number): number | undefined {
  iovec.writeBigUInt64LE(BigInt(addressOf(buffer)), 0);
  iovec.writeBigUInt64LE(BigInt(buffer.length), 8);
  try {
    return functions.preadv2.sync(fd, iovec, 1, position, RWF_NOWAIT);
  } catch (error) {
    // EAGAIN; EOPNOTSUPP where the filesystem cannot tell.
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
