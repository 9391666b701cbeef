import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { AT_SYMLINK_NOFOLLOW } from '../../native/constants.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory, isRegularFile, isSymlink, type Stat } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import type { Slot } from '../uploads/staged-file.js';

type Times = Pick<Stat, 'atimeNs' | 'mtimeNs'>;

const PERMISSIONS = 0o7777;
/** What a copy is made with; the real modes come last, or a read-only directory could not be filled. */
export const WORKING_MODE = 0o700;
/** Extended attributes that belong to the content: the users' own, and access control lists. */
const KEPT_ATTRIBUTE = /^(user\.|system\.posix_acl_)/;

/**
 * Copies one file, link or directory of a vfolder, without what is in it, and with its owner and extended attributes;
 * modes and times of a directory come by `finishDirectory`, when it has been filled. Each step takes a slot of its own.
 *
 * @throws StorageError UNSUPPORTED when the entry cannot be copied as it is: special files, files with further
 *   names, owners that only root can give
 */
export async function copyEntry(
  vfolder: Beneath,
  slot: Slot,
  from: RelPath,
  to: RelPath,
): Promise<Stat> {
  const stat = await slot(() => vfolder.lstat(from.toBytes()));
  if (isDirectory(stat)) {
    await slot(() => makeDirectory(vfolder, stat, from, to));
  } else if (isSymlink(stat)) {
    await slot(() => copyLink(vfolder, stat, from, to));
  } else if (isRegularFile(stat) && stat.nlink === 1) {
    await copyFile(vfolder, slot, from, to);
  } else {
    throw notCopied();
  }
  return stat;
}

export async function finishDirectory(
  vfolder: Beneath,
  path: RelPath,
  stat: Times & Pick<Stat, 'mode'>,
): Promise<void> {
  await vfolder.chmodDirectory(path.toBytes(), stat.mode & PERMISSIONS);
  await setTimes(vfolder, path, stat);
}

export function notCopied(): StorageError {
  return new StorageError(
    'UNSUPPORTED',
    'a border of quotas lies between the paths, and not everything can be copied across it as it is',
    { subject: 'entry' },
  );
}

async function makeDirectory(
  vfolder: Beneath,
  stat: Stat,
  from: RelPath,
  to: RelPath,
): Promise<void> {
  if ((stat.mode & 0o500) !== 0o500 && process.geteuid?.() !== 0) throw notCopied();
  await vfolder.mkdir(to.toBytes(), WORKING_MODE);
  await giveOwner(vfolder, to, stat);
  await vfolder.reading(from.toBytes(), (source) =>
    vfolder.reading(to.toBytes(), (target) => copyAttributes(source, target)),
  );
}

async function copyLink(vfolder: Beneath, stat: Stat, from: RelPath, to: RelPath): Promise<void> {
  const target = await vfolder.readlink(from.toBytes());
  await vfolder.within(to.toBytes(), (dirfd, name) => calls.symlinkat(target, dirfd, name));
  await giveOwner(vfolder, to, stat);
  await setTimes(vfolder, to, stat);
}

async function copyFile(vfolder: Beneath, slot: Slot, from: RelPath, to: RelPath): Promise<void> {
  await using source = await slot(() => vfolder.openFile(from.toBytes()));
  await using target = await slot(() =>
    vfolder.openFile(to.toBytes(), { write: true, create: 'exclusive', mode: WORKING_MODE }),
  );
  await source.copyTo(target, slot);
  await slot(async () => {
    await copyAttributes(source.fd, target.fd);
    // Before the mode: the kernel takes set-id bits away from a file that changes its owner.
    await giveOwner(vfolder, to, source.stat);
    await calls.fchmod(target.fd, source.stat.mode & PERMISSIONS);
    await target.sync();
    await setTimes(vfolder, to, source.stat);
  });
}

/** A file that changed hands would be closed to whom it belongs, so that is not done silently. */
async function giveOwner(vfolder: Beneath, path: RelPath, { uid, gid }: Stat): Promise<void> {
  const made = await vfolder.lstat(path.toBytes());
  if (made.uid === uid && made.gid === gid) return;
  try {
    await vfolder.chown(path.toBytes(), uid, gid);
  } catch (error) {
    throw isErrno(error, Errno.EPERM) ? notCopied() : error;
  }
}

async function copyAttributes(source: number, target: number): Promise<void> {
  for (const name of await attributeNames(source)) {
    if (KEPT_ATTRIBUTE.test(name)) {
      await calls.fsetxattr(target, name, await calls.fgetxattr(source, name));
    }
  }
}

async function attributeNames(fd: number): Promise<readonly string[]> {
  try {
    return await calls.flistxattr(fd);
  } catch (error) {
    if (isErrno(error, Errno.EOPNOTSUPP)) return [];
    throw error;
  }
}

async function setTimes(vfolder: Beneath, path: RelPath, stat: Times): Promise<void> {
  try {
    await vfolder.within(path.toBytes(), (dirfd, name) =>
      calls.utimensat(dirfd, name, stat.atimeNs, stat.mtimeNs, AT_SYMLINK_NOFOLLOW),
    );
  } catch (error) {
    if (!isErrno(error, Errno.EPERM, Errno.EOPNOTSUPP)) throw error;
  }
}
