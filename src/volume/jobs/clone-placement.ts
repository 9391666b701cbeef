import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory, type Stat } from '../../native/stat.js';
import {
  PREFIX_MODE,
  PRIVATE_MODE,
  prefixPaths,
  scopePath,
  stagingPath,
  vfolderPath,
} from '../ids/layout.js';
import type { QuotaScopeId } from '../ids/quota-scope-id.js';
import type { VFolderId } from '../ids/vfolder-id.js';

/** Times a prefix directory is made again that a deletion beside us removes because it is empty. */
const MAX_RACES = 16;
const HERE = Buffer.from('.');

/** Makes the staging directory of a clone, or finds that of an earlier attempt. */
export async function makeStaging(
  root: Beneath,
  scope: QuotaScopeId,
  staging: Buffer,
): Promise<Stat> {
  for (const directory of [stagingPath(scope), staging]) {
    await unlessThere(root.mkdir(directory, PRIVATE_MODE));
  }
  await root.syncDirectory(stagingPath(scope));
  await root.syncDirectory(scopePath(scope));
  return await root.lstat(staging);
}

/**
 * Moves a finished clone to where its vfolder belongs; an empty vfolder there is replaced. It is whole and
 * durable there when this resolves, or not there at all.
 *
 * @throws StorageError ALREADY_EXISTS when something else is there; SystemError
 */
export async function placeClone(
  root: Beneath,
  staging: Buffer,
  destination: VFolderId,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await makePrefixes(root, destination);
      await root.rename(staging, vfolderPath(destination));
      break;
    } catch (error) {
      if (isErrno(error, Errno.ENOTEMPTY, Errno.EEXIST, Errno.ENOTDIR)) {
        throw destinationTaken(destination, error);
      }
      if (!isErrno(error, Errno.ENOENT) || attempt >= MAX_RACES) throw error;
      // Either the clone itself is gone, which this tells, or a prefix directory.
      await root.lstat(staging);
    }
  }
  await syncPlacement(root, destination);
}

/** Makes the names that lead to the vfolder durable. */
export async function syncPlacement(root: Beneath, id: VFolderId): Promise<void> {
  for (const path of prefixPaths(id)) await root.syncDirectory(path);
  await root.syncDirectory(id.scope ? scopePath(id.scope) : HERE);
}

/** The scope must be there: it is not made here, since it may need a quota. */
async function makePrefixes(root: Beneath, id: VFolderId): Promise<void> {
  for (const path of prefixPaths(id).toReversed()) {
    await unlessThere(root.mkdir(path, PREFIX_MODE));
  }
}

/** What stands where the vfolder belongs. */
export async function statVFolder(root: Beneath, id: VFolderId): Promise<Stat | undefined> {
  try {
    return await root.lstat(vfolderPath(id));
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) return undefined;
    throw error;
  }
}

export function destinationTaken(id: VFolderId, cause?: unknown): StorageError {
  return new StorageError(
    'ALREADY_EXISTS',
    'the destination of the clone exists and is not empty',
    { subject: 'vfolder', vfid: id.toString() },
    { cause },
  );
}

/** Gives a directory of ours the permission bits of `like`. */
export async function copyMode(root: Beneath, path: Buffer, like: Stat): Promise<void> {
  if (isDirectory(like)) await root.chmodDirectory(path, like.mode & 0o7777);
}

async function unlessThere(making: Promise<void>): Promise<void> {
  try {
    await making;
  } catch (error) {
    if (!isErrno(error, Errno.EEXIST)) throw error;
  }
}
