import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isSameInode } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';

/** Of directories made on the way to the target (protocol section 2.7). */
const PARENT_MODE = 0o777;

/**
 * The directory an uploaded file goes to. It is opened once, so that what is checked of it holds for what is then
 * done in it: a tenant's link, such as `self -> .`, leads among the staging files by a path that does not name
 * them first. The caller closes it.
 *
 * @param uploads the directory of the running uploads
 * @throws StorageError INVALID_ARGUMENT when it is that directory; SystemError
 */
export async function openTargetParent(
  vfolder: Beneath,
  uploads: Beneath,
  target: RelPath,
  options: { readonly makeParents: boolean },
): Promise<Beneath> {
  const parent = await descend(vfolder, target.parent(), options.makeParents);
  try {
    if (isSameInode(await parent.stat(), await uploads.stat())) throw amongStagingFiles();
    return parent;
  } catch (error) {
    parent.close();
    throw error;
  }
}

async function descend(vfolder: Beneath, path: RelPath, makeMissing: boolean): Promise<Beneath> {
  try {
    return await vfolder.descend(path.toBytes());
  } catch (error) {
    if (!makeMissing || path.isRoot || !isErrno(error, Errno.ENOENT)) throw error;
  }
  await makeDirectories(vfolder, path);
  return await vfolder.descend(path.toBytes());
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

function amongStagingFiles(): StorageError {
  return new StorageError('INVALID_ARGUMENT', 'the path leads among the running uploads', {
    subject: 'entry',
  });
}
