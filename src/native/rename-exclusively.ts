import { calls } from './calls.js';
import {
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_EXCL,
  O_TENANT,
  O_WRONLY,
  RENAME_NOREPLACE,
} from './constants.js';
import { Errno, isErrno, SystemError } from './errno.js';
import { isDirectory, isSameInode, type Stat } from './stat.js';

const PLACEHOLDER_MODE = 0o600;

/**
 * rename(2) that replaces nothing: EEXIST when the name is taken. Names are one component each.
 *
 * CephFS and NFS answer RENAME_NOREPLACE with EINVAL unless the name is taken. There an empty file, or directory,
 * takes the name, which is exclusive everywhere, and an ordinary rename replaces that: so of several renames to
 * one name a single one succeeds, and the border of a quota still says EXDEV, which link(2) and unlink(2) would
 * get around. A crash between the two leaves the empty entry, and the other where it was.
 */
export async function renameExclusively(
  fromDir: number,
  from: Buffer,
  toDir: number,
  to: Buffer,
): Promise<void> {
  try {
    await calls.renameat2(fromDir, from, toDir, to, RENAME_NOREPLACE);
  } catch (error) {
    // Also what the rename of a directory into itself says, and says again below.
    if (!isErrno(error, Errno.EINVAL)) throw error;
    await renameOverPlaceholder(fromDir, from, toDir, to);
  }
}

/** Exported for its specs, which run on filesystems that have RENAME_NOREPLACE. */
export async function renameOverPlaceholder(
  fromDir: number,
  from: Buffer,
  toDir: number,
  to: Buffer,
): Promise<void> {
  const source = await calls.statx(fromDir, from, AT_SYMLINK_NOFOLLOW);
  const placeholder = await takeName(toDir, to, isDirectory(source));
  try {
    await calls.renameat2(fromDir, from, toDir, to);
  } catch (error) {
    await removePlaceholder(toDir, to, placeholder);
    // A directory that somebody has put something into meanwhile.
    if (isErrno(error, Errno.ENOTEMPTY)) throw new SystemError(Errno.EEXIST, 'renameat2');
    throw error;
  }
}

async function takeName(dirfd: number, name: Buffer, asDirectory: boolean): Promise<Stat> {
  if (asDirectory) await calls.mkdirat(dirfd, name, 0o700);
  else {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_TENANT;
    await calls.close(await calls.openat(dirfd, name, flags, PLACEHOLDER_MODE));
  }
  return await calls.statx(dirfd, name, AT_SYMLINK_NOFOLLOW);
}

/** The failure that led here is the one to report. */
async function removePlaceholder(dirfd: number, name: Buffer, placeholder: Stat): Promise<void> {
  try {
    const stat = await calls.statx(dirfd, name, AT_SYMLINK_NOFOLLOW);
    if (!isSameInode(stat, placeholder)) return;
    await calls.unlinkat(dirfd, name, isDirectory(stat) ? AT_REMOVEDIR : 0);
  } catch (error) {
    if (!isErrno(error)) throw error;
  }
}
