import { Errno, isErrno } from '../../../native/errno.js';
import type { StatBuffer } from '../../../native/stat-buffer.js';
import type { Descent } from '../descent.js';

/**
 * What reading walks put up with in a tree that its owner changes meanwhile, and that may hold what the
 * proxy may not read: entries that are gone, or have become something else, are passed by.
 */
function isPassedBy(error: unknown): boolean {
  return isErrno(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.EACCES);
}

/** Goes into a sub-directory; false when it has vanished or may not be read. */
export function enterIfReadable<State>(
  descent: Descent<State>,
  name: Buffer,
  state: State,
): boolean {
  try {
    descent.enter(name, state);
    return true;
  } catch (error) {
    if (!isPassedBy(error) && !descent.isRemoval(error)) throw error;
    return false;
  }
}

/** lstat of an entry; false when it has vanished, or its directory may be read but not searched. */
export function statIfPresent(
  stat: StatBuffer,
  dirfd: number,
  nameAddress: number,
  mask?: number,
): boolean {
  try {
    stat.readEntry(dirfd, nameAddress, mask);
    return true;
  } catch (error) {
    if (!isPassedBy(error)) throw error;
    return false;
  }
}

/** The same for the entry that a walk is at. */
export function statCurrentIfPresent(
  stat: StatBuffer,
  descent: Descent<unknown>,
  mask?: number,
): boolean {
  try {
    return statIfPresent(stat, descent.here.fd, descent.entry.nameAddress, mask);
  } catch (error) {
    if (!descent.isRemoval(error)) throw error;
    return false;
  }
}
