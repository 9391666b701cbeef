import { readAtOnce } from './at-once.js';
import { Errno, isErrno } from './errno.js';
import { bind } from './ffi.js';

/** cachestat(2), Linux 6.5; the number is the same on x86-64 and arm64. */
const SYS_cachestat = 451;
/** Of nearly all kernels. Where pages are larger, there are fewer than expected, and the answer is never yes. */
const PAGE_BYTES = 4096;

const cachestat = bind<[number: number, fd: number, range: Buffer, out: Buffer, flags: number]>(
  'cachestat',
  'long syscall(long number, int fd, const void *range, void *out, unsigned int flags)',
);

/** struct cachestat_range: offset and length in bytes. */
const range = Buffer.allocUnsafeSlow(16);
/** struct cachestat: pages in the cache, dirty, being written back, evicted, evicted a moment ago; 64 bits each. */
const pages = Buffer.allocUnsafeSlow(40);
const oneByte = Buffer.allocUnsafeSlow(1);

let isKnown = true;

/** Whether this kernel can tell at all, as far as is known. */
export function tellsResidency(): boolean {
  return isKnown;
}

/**
 * Whether all `length` bytes of the file from `position` on are in the page cache, so that a call that reads them
 * now waits for no disk. Only for filesystems that `canAnswerAtOnce`. False where it cannot be told: on kernels
 * before 6.5, under seccomp filters that do not know the call, and for files that are not ours to ask about.
 *
 * A page that is only on its way into memory counts as cached. Pages are read in order, so whether the last byte
 * can be read without waiting tells of that; it also tells of a writer that holds the file's lock.
 */
export function isResident(fd: number, position: number, length: number): boolean {
  if (!isKnown || length <= 0) return false;
  const end = position + length;
  const first = position - (position % PAGE_BYTES);
  const expected = Math.ceil((end - first) / PAGE_BYTES);
  range.writeBigUInt64LE(BigInt(first), 0);
  range.writeBigUInt64LE(BigInt(expected * PAGE_BYTES), 8);
  try {
    cachestat.sync(SYS_cachestat, fd, range, pages, 0);
  } catch (error) {
    if (!isErrno(error)) throw error;
    if (error.errno === Errno.ENOSYS) isKnown = false;
    return false;
  }
  if (Number(pages.readBigUInt64LE(0)) < expected) return false;
  return readAtOnce(fd, oneByte, end - 1) === 1;
}
