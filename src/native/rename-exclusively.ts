import { randomUUID } from 'node:crypto';
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
const PLACEHOLDER_DIRECTORY_MODE = 0o700;

/** Anything that is no directory counts as a file. */
type EntryKind = 'file' | 'directory';

/** What link(2) answers where there are no hard links, none to this file, or no further name in a quota of files. */
const NO_LINK = [Errno.EPERM, Errno.EMLINK, Errno.EOPNOTSUPP, Errno.ENOSYS, Errno.EDQUOT];

/**
 * rename(2) that replaces nothing: EEXIST when the name is taken. Names are one component each.
 *
 * CephFS and NFS answer RENAME_NOREPLACE with EINVAL unless the name is taken. There a file is first renamed to a name
 * that only we know, beside its new one, so that the border of a quota still says EXDEV and nobody can replace it;
 * then link(2), which is exclusive everywhere, gives it the new name. A directory takes the place of an empty
 * one that has the name for it: rename(2) replaces no other. A crash leaves a file under both names, or as
 * `.renaming-…`, or the empty directory; nothing is lost, and nothing that somebody else puts there meanwhile.
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
    await renameWithoutFlag(fromDir, from, toDir, to);
  }
}

/** Exported for its specs, which run on filesystems that have RENAME_NOREPLACE. */
export async function renameWithoutFlag(
  fromDir: number,
  from: Buffer,
  toDir: number,
  to: Buffer,
): Promise<void> {
  const source = await calls.statx(fromDir, from, AT_SYMLINK_NOFOLLOW);
  if (isDirectory(source)) {
    return await renameOverPlaceholder('directory', fromDir, from, toDir, to);
  }
  const aside = Buffer.from(`.renaming-${randomUUID()}`);
  await calls.renameat2(fromDir, from, toDir, aside);
  try {
    await publish(toDir, aside, toDir, to);
  } catch (error) {
    // Should somebody have taken that name meanwhile, the file stays where it is now.
    await publish(toDir, aside, fromDir, from).catch(ignoreErrno);
    throw error;
  }
}

/** Gives a file that nobody else knows a name that is free. */
async function publish(
  asideDir: number,
  aside: Buffer,
  dirfd: number,
  name: Buffer,
): Promise<void> {
  try {
    await calls.linkat(asideDir, aside, dirfd, name);
  } catch (error) {
    if (isErrno(error, ...NO_LINK)) {
      return await renameOverPlaceholder('file', asideDir, aside, dirfd, name);
    }
    if (!(await hasBothNames(error, asideDir, aside, dirfd, name))) throw error;
  }
  await calls.unlinkat(asideDir, aside);
}

/**
 * A server may have linked the file, and refuse the request when it comes again because the answer was lost (NFS).
 * A name that is free again by now was somebody else's.
 */
async function hasBothNames(
  failure: unknown,
  asideDir: number,
  aside: Buffer,
  dirfd: number,
  name: Buffer,
): Promise<boolean> {
  if (!isErrno(failure, Errno.EEXIST)) return false;
  const one = await calls.statx(asideDir, aside, AT_SYMLINK_NOFOLLOW);
  try {
    return isSameInode(one, await calls.statx(dirfd, name, AT_SYMLINK_NOFOLLOW));
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return false;
    throw error;
  }
}

/**
 * An empty entry takes the name, which is exclusive everywhere, and an ordinary rename replaces that. A file that
 * somebody renames there between the two is replaced as well, so for files this is only where links are not to be had.
 */
async function renameOverPlaceholder(
  kind: EntryKind,
  fromDir: number,
  from: Buffer,
  toDir: number,
  to: Buffer,
): Promise<void> {
  const placeholder = await takeName(kind, toDir, to);
  try {
    await calls.renameat2(fromDir, from, toDir, to);
  } catch (error) {
    if (placeholder !== null) await removePlaceholder(toDir, to, placeholder);
    // A directory that somebody has put something into meanwhile.
    if (isErrno(error, Errno.ENOTEMPTY)) throw new SystemError(Errno.EEXIST, 'renameat2');
    throw error;
  }
}

/** `null` when a quota of files has no room for a placeholder: then the name was free a moment ago, and no more is known. */
async function takeName(kind: EntryKind, dirfd: number, name: Buffer): Promise<Stat | null> {
  const isForDirectory = kind === 'directory';
  try {
    if (isForDirectory) await calls.mkdirat(dirfd, name, PLACEHOLDER_DIRECTORY_MODE);
    else {
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_TENANT;
      await calls.close(await calls.openat(dirfd, name, flags, PLACEHOLDER_MODE));
    }
  } catch (error) {
    if (!isErrno(error, Errno.EDQUOT)) throw error;
    await assertFree(dirfd, name);
    return null;
  }
  try {
    return await calls.statx(dirfd, name, AT_SYMLINK_NOFOLLOW);
  } catch (error) {
    await calls.unlinkat(dirfd, name, isForDirectory ? AT_REMOVEDIR : 0).catch(ignoreErrno);
    throw error;
  }
}

async function assertFree(dirfd: number, name: Buffer): Promise<void> {
  try {
    await calls.statx(dirfd, name, AT_SYMLINK_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return;
    throw error;
  }
  throw new SystemError(Errno.EEXIST, 'renameat2');
}

/** The failure that led here is the one to report. */
async function removePlaceholder(dirfd: number, name: Buffer, placeholder: Stat): Promise<void> {
  try {
    const stat = await calls.statx(dirfd, name, AT_SYMLINK_NOFOLLOW);
    if (!isSameInode(stat, placeholder)) return;
    await calls.unlinkat(dirfd, name, isDirectory(stat) ? AT_REMOVEDIR : 0);
  } catch (error) {
    ignoreErrno(error);
  }
}

function ignoreErrno(error: unknown): void {
  if (!isErrno(error)) throw error;
}
