import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { RelPath } from '../ids/relpath.js';
import type { StagedFile } from './staged-file.js';

/** Of directories made on the way to the target (protocol section 2.7). */
const PARENT_MODE = 0o777;

/**
 * Moves a whole, synced staging file to its place, replacing a file or link that is there. The lock is held.
 * Rejects with SystemError: EISDIR when a directory is there, EXDEV when the path leads out of the vfolder,
 * ENOENT when the parent is missing and `makeParents` is not set.
 *
 * A crash leaves one of three states, and each leads to the end:
 * 1. staging file and offset record: the next request sees a whole file and starts here again;
 * 2. staging file and marker: the same, the marker already says that every byte is durable;
 * 3. the marker alone: finished, since the first rename is durable before the second is made.
 */
export async function putInPlace(
  staged: StagedFile,
  target: RelPath,
  options: { readonly makeParents: boolean },
): Promise<void> {
  const { directory, names } = staged;
  await markWhole(directory, names);
  try {
    await move(staged, target, options.makeParents);
  } catch (error) {
    await directory.rename(names.done, names.offset).catch(ignoreMissing);
    throw error;
  }
  await staged.vfolder.syncDirectory(target.parent().toBytes());
  await directory.syncDirectory();
}

/** Renames the record rather than making a file, which could fail in a full quota. */
async function markWhole(directory: Beneath, names: StagedFile['names']): Promise<void> {
  await directory.rename(names.offset, names.done);
  await directory.syncDirectory();
}

async function move(staged: StagedFile, target: RelPath, makeParents: boolean): Promise<void> {
  const { vfolder, directory, names } = staged;
  const rename = (): Promise<void> => directory.renameTo(vfolder, names.staging, target.toBytes());
  try {
    await rename();
  } catch (error) {
    if (!makeParents || target.parent().isRoot || !isErrno(error, Errno.ENOENT)) throw error;
    await makeDirectories(vfolder, target.parent());
    await rename();
  }
}

/** Also makes their names durable: the file's own directory is synced after the move, those above it here. */
async function makeDirectories(vfolder: Beneath, path: RelPath): Promise<void> {
  try {
    await vfolder.mkdirs(path.toBytes(), PARENT_MODE, PARENT_MODE);
  } catch (error) {
    if (!isErrno(error, Errno.EEXIST)) throw error;
  }
  for (let above = path; !above.isRoot;) {
    above = above.parent();
    await vfolder.syncDirectory(above.toBytes());
  }
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}
