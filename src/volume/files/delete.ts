import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno, SystemError } from '../../native/errno.js';
import { isDirectory } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import { fileDialect } from './dialect.js';
import { assertNotReserved, entryError, outsideVFolder } from './entry-error.js';

/** What a deletion will remove, once everything about it has been found in order. */
export interface DeletionPlan {
  /** Files, links themselves, and special files. */
  readonly entries: readonly RelPath[];
  readonly trees: readonly RelPath[];
}

/**
 * Looks at every path before anything is deleted. A path is what it names: of a symlink, the link (S6).
 *
 * @throws StorageError OUTSIDE_VFOLDER for a path that leaves, and for the vfolder itself (S7);
 *   IS_A_DIRECTORY for a directory without `recursive` (M13); NOT_FOUND for a missing one of an unscoped id
 */
export async function planDeletion(
  vfolder: Beneath,
  ref: VFolderRef,
  paths: readonly RelPath[],
  recursive: boolean,
): Promise<DeletionPlan> {
  const { missingIsDeleted } = fileDialect(ref.id);
  const entries: RelPath[] = [];
  const trees: RelPath[] = [];
  for (const path of paths) {
    if (path.isRoot) throw outsideVFolder(ref, path);
    assertNotReserved(ref, path);
    try {
      const stat = await vfolder.lstat(path.toBytes());
      if (!isDirectory(stat)) entries.push(path);
      else if (recursive) trees.push(path);
      else throw new SystemError(Errno.EISDIR, 'unlinkat');
    } catch (error) {
      if (missingIsDeleted && isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) continue;
      throw entryError(error, ref, path);
    }
  }
  return { entries, trees };
}

/** Removes links themselves and files; what vanished meanwhile is fine. */
export async function deleteEntries(
  vfolder: Beneath,
  ref: VFolderRef,
  entries: readonly RelPath[],
): Promise<void> {
  for (const path of entries) {
    try {
      await vfolder.unlink(path.toBytes());
    } catch (error) {
      if (!isErrno(error, Errno.ENOENT)) throw entryError(error, ref, path);
    }
  }
}

/** Removes whole trees on the volume's own threads, however long that takes. */
export async function deleteTrees(
  volume: Volume,
  ref: VFolderRef,
  paths: readonly RelPath[],
  signal?: AbortSignal,
): Promise<void> {
  const location = volume.locate(ref.id);
  for (const path of paths) {
    try {
      const { trees } = volume.strategies;
      await trees.removeEntry(location, path.toBytes(), signal ? { signal } : {});
    } catch (error) {
      throw entryError(error, ref, path);
    }
  }
}
