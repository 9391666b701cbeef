import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { AT_EMPTY_PATH, O_CLOEXEC, O_NOFOLLOW, O_PATH } from '../../native/constants.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory, isRegularFile, isSymlink, type Stat } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import type { Slot } from '../uploads/staged-file.js';

type Times = Pick<Stat, 'atimeNs' | 'mtimeNs'>;

const EMPTY = Buffer.alloc(0);
const PERMISSIONS = 0o7777;
/** What a copy is made with; the real modes come last, or a read-only directory could not be filled. */
export const WORKING_MODE = 0o700;
/** Extended attributes that belong to the content: the users' own, and access control lists. */
const KEPT_ATTRIBUTE = /^(user\.|system\.posix_acl_)/;

export interface CopiedEntry {
  /** Of what was copied. */
  readonly stat: Stat;
  /** Of a directory that was made. */
  readonly madeIno: bigint;
}

/**
 * Copies one file, link or directory of a vfolder, without what is in it, and with its owner and extended attributes;
 * modes and times of a directory come by `finishDirectory`, when it has been filled. Each step takes a slot of its own.
 * Owners, modes and times are given by descriptor: a tenant may put something else where the copy was made.
 *
 * @throws StorageError UNSUPPORTED when the entry cannot be copied as it is: special files, files with further
 *   names, owners that only root can give
 */
export async function copyEntry(
  vfolder: Beneath,
  slot: Slot,
  from: RelPath,
  to: RelPath,
): Promise<CopiedEntry> {
  const stat = await slot(() => vfolder.lstat(from.toBytes()));
  if (isDirectory(stat)) {
    return { stat, madeIno: await slot(() => makeDirectory(vfolder, stat, from, to)) };
  }
  if (isSymlink(stat)) {
    await slot(() => copyLink(vfolder, stat, from, to));
    return { stat, madeIno: 0n };
  }
  if (!isRegularFile(stat)) throw notCopied();
  return { stat: await copyFile(vfolder, slot, from, to), madeIno: 0n };
}

/** @throws StorageError UNSUPPORTED when it is not the directory that was made */
export async function finishDirectory(
  vfolder: Beneath,
  path: RelPath,
  stat: Times & Pick<Stat, 'mode'>,
  madeIno: bigint,
): Promise<void> {
  await vfolder.reading(path.toBytes(), async (fd) => {
    if ((await statOf(fd)).ino !== madeIno) throw notCopied();
    await calls.fchmod(fd, stat.mode & PERMISSIONS);
    await unlessRefused(calls.futimens(fd, stat.atimeNs, stat.mtimeNs));
  });
}

export function notCopied(): StorageError {
  return new StorageError(
    'UNSUPPORTED',
    'a border of quotas lies between the paths, and not everything can be copied across it as it is',
    { subject: 'entry' },
  );
}

/** Returns its inode. */
async function makeDirectory(
  vfolder: Beneath,
  stat: Stat,
  from: RelPath,
  to: RelPath,
): Promise<bigint> {
  if ((stat.mode & 0o500) !== 0o500 && process.geteuid?.() !== 0) throw notCopied();
  await vfolder.mkdir(to.toBytes(), WORKING_MODE);
  return await vfolder.reading(to.toBytes(), async (target) => {
    const made = await statOf(target);
    await giveOwner(target, made, stat);
    await vfolder.reading(from.toBytes(), (source) => copyAttributes(source, target));
    return made.ino;
  });
}

async function copyLink(vfolder: Beneath, stat: Stat, from: RelPath, to: RelPath): Promise<void> {
  const target = await vfolder.readlink(from.toBytes());
  await vfolder.within(to.toBytes(), async (dirfd, name) => {
    await calls.symlinkat(target, dirfd, name);
    const fd = await calls.openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    try {
      const made = await statOf(fd);
      if (!isSymlink(made)) throw notCopied();
      await giveOwner(fd, made, stat);
      const { atimeNs, mtimeNs } = stat;
      await unlessRefused(calls.utimensat(fd, EMPTY, atimeNs, mtimeNs, AT_EMPTY_PATH));
    } finally {
      await calls.close(fd);
    }
  });
}

/** Returns what was copied, as it was when it was opened. */
async function copyFile(vfolder: Beneath, slot: Slot, from: RelPath, to: RelPath): Promise<Stat> {
  await using source = await slot(() => vfolder.openFile(from.toBytes()));
  if (source.stat.nlink !== 1) throw notCopied();
  await using target = await slot(() =>
    vfolder.openFile(to.toBytes(), { write: true, create: 'exclusive', mode: WORKING_MODE }),
  );
  await source.copyTo(target, slot);
  await slot(async () => {
    await copyAttributes(source.fd, target.fd);
    // Before the mode: the kernel takes set-id bits away from a file that changes its owner.
    await giveOwner(target.fd, target.stat, source.stat);
    await calls.fchmod(target.fd, source.stat.mode & PERMISSIONS);
    await unlessRefused(calls.futimens(target.fd, source.stat.atimeNs, source.stat.mtimeNs));
    await target.sync();
  });
  return source.stat;
}

/**
 * A file that changed hands would be closed to whom it belongs, so that is not done silently. Nor is anything given away
 * that we have not made.
 */
async function giveOwner(fd: number, made: Stat, { uid, gid }: Stat): Promise<void> {
  if (made.uid === uid && made.gid === gid) return;
  if (made.uid !== process.geteuid?.()) throw notCopied();
  try {
    await calls.fchownat(fd, EMPTY, uid, gid, AT_EMPTY_PATH);
  } catch (error) {
    throw isErrno(error, Errno.EPERM) ? notCopied() : error;
  }
}

function statOf(fd: number): Promise<Stat> {
  return calls.statx(fd, EMPTY, AT_EMPTY_PATH);
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

/** Times are not worth a failure; EINVAL is what Linux before 5.8 says of those of an open link. */
async function unlessRefused(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isErrno(error, Errno.EPERM, Errno.EOPNOTSUPP, Errno.EINVAL)) throw error;
  }
}
