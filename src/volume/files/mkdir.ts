import type { StorageError } from '../../errors/storage-error.js';
import { isStorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno, SystemError } from '../../native/errno.js';
import { isDirectory } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { assertNotReserved, entryError } from './entry-error.js';

/** Modes before the umask (protocol section 2.7). */
const DIRECTORY_MODE = 0o755;
const PARENT_MODE = 0o777;

export interface MkdirOptions {
  /** Make missing parents. */
  readonly parents: boolean;
  /** A directory that is there already is success. */
  readonly existOk: boolean;
}

export interface MkdirResult {
  readonly path: RelPath;
  /** Absent when the directory was made, or was there and `existOk`. */
  readonly error?: StorageError;
}

/** Each path is attempted, in order, whatever becomes of the others. */
export async function makeDirectories(
  vfolder: Beneath,
  ref: VFolderRef,
  paths: readonly RelPath[],
  options: MkdirOptions,
): Promise<MkdirResult[]> {
  const results: MkdirResult[] = [];
  for (const path of paths) {
    try {
      assertNotReserved(ref, path);
      await makeDirectory(vfolder, path, options);
      results.push({ path });
    } catch (thrown) {
      const error = entryError(thrown, ref, path);
      if (!isStorageError(error)) throw error;
      results.push({ path, error });
    }
  }
  return results;
}

async function makeDirectory(
  vfolder: Beneath,
  path: RelPath,
  { parents, existOk }: MkdirOptions,
): Promise<void> {
  try {
    if (path.isRoot) throw new SystemError(Errno.EEXIST, 'mkdirat');
    if (parents) await vfolder.mkdirs(path.toBytes(), DIRECTORY_MODE, PARENT_MODE);
    else await vfolder.mkdir(path.toBytes(), DIRECTORY_MODE);
  } catch (error) {
    if (!existOk || !isErrno(error, Errno.EEXIST)) throw error;
    if (!isDirectory(await vfolder.followedStat(path.toBytes()))) throw error;
  }
}
