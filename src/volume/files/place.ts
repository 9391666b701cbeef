import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno, SystemError } from '../../native/errno.js';

/**
 * rename(2) that refuses to replace anything, with EEXIST. NFS and CephFS do not know RENAME_NOREPLACE;
 * there it is looked first, and a name that appears in between is replaced.
 */
export async function renameToFreeName(vfolder: Beneath, from: Buffer, to: Buffer): Promise<void> {
  try {
    await vfolder.rename(from, to, { noReplace: true });
  } catch (error) {
    if (!isErrno(error, Errno.EINVAL)) throw error;
    if (await isTaken(vfolder, to)) throw new SystemError(Errno.EEXIST, 'renameat2');
    await vfolder.rename(from, to);
  }
}

async function isTaken(vfolder: Beneath, path: Buffer): Promise<boolean> {
  try {
    await vfolder.lstat(path);
    return true;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return false;
    throw error;
  }
}
