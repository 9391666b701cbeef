import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { assertNotReserved, entryError, invalidEntry, outsideVFolder } from './entry-error.js';
import type { Transplant } from './transplant.js';

const PARENT_MODE = 0o777;

interface Move extends Transplant {
  readonly vfolder: Beneath;
  readonly ref: VFolderRef;
  readonly fromDirectory: boolean;
}

/** A new last component for an entry, which nothing has yet. */
export async function renameEntry(
  vfolder: Beneath,
  ref: VFolderRef,
  path: RelPath,
  newName: Buffer,
): Promise<void> {
  if (path.isRoot) throw invalidEntry('the vfolder itself cannot be renamed', ref, path);
  const target = path.parent().join(newName);
  assertNotReserved(ref, path, target);
  try {
    await vfolder.lstat(path.toBytes());
    if (target.equals(path)) return;
    await vfolder.rename(path.toBytes(), target.toBytes(), { noReplace: true });
  } catch (error) {
    throw entryError(error, ref, path, target);
  }
}

/**
 * The table of protocol section 3.7, "move". `null` when the entry is where it was to go; else a border of quotas
 * lies in between, and the move is left to `transplant`.
 */
export async function moveEntry(
  vfolder: Beneath,
  ref: VFolderRef,
  from: RelPath,
  destination: RelPath,
): Promise<Transplant | null> {
  if (from.isRoot) throw invalidEntry('the vfolder itself cannot be moved', ref, from);
  assertNotReserved(ref, from, destination);
  try {
    const source = await vfolder.lstat(from.toBytes());
    const into = await leadsToDirectory(vfolder, ref, destination);
    const to = into ? destination.join(from.name) : destination;
    assertNotReserved(ref, to);
    if (to.equals(from)) return null;
    const fromDirectory = isDirectory(source);
    if (fromDirectory && to.startsWith(from)) throw intoItself(ref, from, destination);
    return await place({ vfolder, ref, from, to, fromDirectory, replace: !into });
  } catch (error) {
    throw entryError(error, ref, from, destination);
  }
}

async function place(move: Move): Promise<Transplant | null> {
  const { vfolder, from, to, fromDirectory, ref } = move;
  try {
    return await rename(move);
  } catch (error) {
    if (isErrno(error, Errno.EINVAL)) throw intoItself(ref, from, to);
    // The source was there a moment ago: it is the destination's parent that is missing.
    if (!fromDirectory || !isErrno(error, Errno.ENOENT)) throw error;
    await vfolder.mkdirs(to.parent().toBytes(), PARENT_MODE, PARENT_MODE).catch(ignoreExisting);
    return await rename(move);
  }
}

async function rename({ vfolder, from, to, replace }: Move): Promise<Transplant | null> {
  try {
    await vfolder.rename(from.toBytes(), to.toBytes(), { noReplace: !replace });
    return null;
  } catch (error) {
    // A path that leads out is EXDEV too, by another call.
    if (isErrno(error, Errno.EXDEV) && error.syscall === 'renameat2') return { from, to, replace };
    throw error;
  }
}

async function leadsToDirectory(
  vfolder: Beneath,
  ref: VFolderRef,
  path: RelPath,
): Promise<boolean> {
  try {
    return isDirectory(await vfolder.followedStat(path.toBytes()));
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return false;
    // Moving onto a link that leads out would be a guess at what was meant.
    if (isErrno(error, Errno.EXDEV, Errno.ELOOP)) throw outsideVFolder(ref, path);
    throw error;
  }
}

function intoItself(ref: VFolderRef, from: RelPath, to: RelPath): Error {
  return invalidEntry('a directory cannot be moved into itself', ref, from, to);
}

function ignoreExisting(error: unknown): void {
  if (!isErrno(error, Errno.EEXIST)) throw error;
}
