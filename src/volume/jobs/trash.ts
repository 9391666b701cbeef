import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory } from '../../native/stat.js';
import { PRIVATE_MODE, prefixPaths, scopePath, trashPath, vfolderPath } from '../ids/layout.js';
import type { VFolderId } from '../ids/vfolder-id.js';
import type { DeletionPlace, InodeId } from './job-record.js';
import { inodeId } from './job-record.js';
import { formatSiblingName, formatTrashName, type TrashName } from './trash-name.js';

const HERE = Buffer.from('.');

/** No directory can be made or grown: the quota or the disk is full. */
const FULL = [Errno.ENOSPC, Errno.EDQUOT] as const;
/** The vfolder cannot be moved at all: it is a mount point, or belongs to another quota than its scope. */
const IMMOVABLE = [Errno.EXDEV, Errno.EBUSY] as const;

/** What became of a vfolder that is to be deleted. */
export interface Discarded {
  readonly place: DeletionPlace;
  /** Of the vfolder, when it stands where it stood. */
  readonly inode: InodeId | null;
}

/**
 * Takes a vfolder out of sight, so that its name is free at once, and its deletion survives everything from
 * then on: the names are on stable storage when this resolves. The vfolder goes to the trash of its scope;
 * where there is none and no room for one, beside it; and where even that fails it is left (`in-place`).
 *
 * Rejects with SystemError.
 */
export async function discard(root: Beneath, name: TrashName): Promise<Discarded> {
  const from = vfolderPath(name.vfolder);
  const stat = await unlessMissing(root.lstat(from));
  if (stat === undefined) return { place: 'nowhere', inode: null };
  for (const place of ['trash', 'sibling'] as const) {
    try {
      if (place === 'trash') await makeTrash(root, name.vfolder);
      await root.rename(from, deletionPath(name, place));
      await syncMove(root, name.vfolder, place);
      return { place, inode: null };
    } catch (error) {
      // Another request was faster.
      if (isErrno(error, Errno.ENOENT)) return { place: 'nowhere', inode: null };
      if (isErrno(error, ...IMMOVABLE)) break;
      if (!isErrno(error, ...FULL)) throw error;
    }
  }
  return { place: 'in-place', inode: inodeId(stat) };
}

/** Where a vfolder that is being deleted stands, relative to the mount path. */
export function deletionPath(name: TrashName, place: DeletionPlace): Buffer {
  const { scope } = name.vfolder;
  if (place === 'trash') {
    return Buffer.concat([trashPath(scope), Buffer.from(`/${formatTrashName(name)}`)]);
  }
  if (place === 'sibling') {
    return Buffer.from((scope ? `${scope.pathname}/` : '') + formatSiblingName(name));
  }
  return vfolderPath(name.vfolder);
}

/** Removes the prefix directories of a deleted vfolder that hold nothing else; never the scope. */
export async function removeEmptyPrefixes(root: Beneath, id: VFolderId): Promise<void> {
  for (const path of prefixPaths(id)) {
    try {
      await root.rmdir(path);
    } catch (error) {
      if (isErrno(error, Errno.ENOTEMPTY, Errno.EEXIST)) return;
      if (!isErrno(error, Errno.ENOENT)) throw error;
    }
  }
}

/** Whether a directory stands there, and not a link or a file that an operator put in its place. */
export async function isRealDirectory(root: Beneath, path: Buffer): Promise<boolean> {
  const stat = await unlessMissing(root.lstat(path));
  return stat !== undefined && isDirectory(stat);
}

async function makeTrash(root: Beneath, { scope }: VFolderId): Promise<void> {
  try {
    await root.mkdir(trashPath(scope), PRIVATE_MODE);
  } catch (error) {
    if (isErrno(error, Errno.EEXIST)) return;
    throw error;
  }
  await root.syncDirectory(scope ? scopePath(scope) : HERE);
}

/** The move is durable when the directory it went to is; the one it left is synced for filesystems that log them apart. */
async function syncMove(root: Beneath, id: VFolderId, place: 'trash' | 'sibling'): Promise<void> {
  const base = id.scope ? scopePath(id.scope) : HERE;
  await root.syncDirectory(place === 'trash' ? trashPath(id.scope) : base);
  await unlessMissing(root.syncDirectory(prefixPaths(id)[0]));
}

async function unlessMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) return undefined;
    throw error;
  }
}
