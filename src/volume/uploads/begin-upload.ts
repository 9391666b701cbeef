import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno, SystemError } from '../../native/errno.js';
import { isDirectory } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import { OffsetRecord } from './offset-record.js';
import { removeUpload } from './staged-file.js';
import { openTargetParent } from './target-parent.js';
import {
  STAGING_MODE,
  UPLOAD_DIRECTORY_MODE,
  UPLOAD_PATH,
  type UploadNames,
} from './upload-names.js';
import { assertNotReserved } from './upload-request.js';

/** A sweep may remove the empty `.upload` between our making it and our using it. */
const MAX_ATTEMPTS = 3;

/**
 * Makes the staging file of a new upload and what belongs to it, durably; an empty upload is also put in
 * place where nothing is in the way. Leaves nothing behind when it fails.
 *
 * @throws StorageError INVALID_ARGUMENT for a reserved path; SystemError, EISDIR when a directory has the
 *   name, EXDEV when the path leads out
 */
export async function beginUpload(
  vfolder: Beneath,
  names: UploadNames,
  target: RelPath,
  sizeBytes: number,
): Promise<void> {
  await assertUsableTarget(vfolder, target);
  try {
    await stage(vfolder, names);
    await place(vfolder, target, sizeBytes === 0);
  } catch (error) {
    await cancelUpload(vfolder, names).catch(() => undefined);
    throw error;
  }
}

/** The reserved directory, the vfolder itself, or a directory cannot be replaced by a file. */
async function assertUsableTarget(vfolder: Beneath, target: RelPath): Promise<void> {
  assertNotReserved(target);
  if (target.isRoot) throw new SystemError(Errno.EISDIR, 'upload');
  try {
    if (isDirectory(await vfolder.lstat(target.toBytes()))) {
      throw new SystemError(Errno.EISDIR, 'upload');
    }
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT)) throw error;
  }
}

async function stage(vfolder: Beneath, names: UploadNames): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await stageOnce(vfolder, names);
      return;
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isErrno(error, Errno.ENOENT)) throw error;
    }
  }
}

async function stageOnce(vfolder: Beneath, names: UploadNames): Promise<void> {
  const { directory: opened, made } = await openUploadDirectory(vfolder);
  using directory = opened;
  await OffsetRecord.create(directory, names);
  const options = { create: 'exclusive', mode: STAGING_MODE } as const;
  await (await directory.openFile(names.staging, options)).close();
  await directory.syncDirectory();
  if (made) await vfolder.syncDirectory();
}

/** Removes an upload that was not begun after all. */
export async function cancelUpload(vfolder: Beneath, names: UploadNames): Promise<void> {
  using directory = await vfolder.descend(UPLOAD_PATH);
  await removeUpload(directory, names);
}

/** Opens `.upload`, which is made when it is not there: whether it was. The caller closes it. */
export async function openUploadDirectory(
  vfolder: Beneath,
): Promise<{ readonly directory: Beneath; readonly made: boolean }> {
  const known = await uploadDirectory(vfolder);
  const made = known === undefined && (await makeUploadDirectory(vfolder));
  return { directory: known ?? (await vfolder.descend(UPLOAD_PATH)), made };
}

/** Mostly it is there already, and looking for it costs less than trying to make it. */
async function uploadDirectory(vfolder: Beneath): Promise<Beneath | undefined> {
  try {
    return await vfolder.descend(UPLOAD_PATH);
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return undefined;
    throw error;
  }
}

async function makeUploadDirectory(vfolder: Beneath): Promise<boolean> {
  try {
    await vfolder.mkdir(UPLOAD_PATH, UPLOAD_DIRECTORY_MODE);
    return true;
  } catch (error) {
    if (isErrno(error, Errno.EEXIST)) return false;
    throw error;
  }
}

/**
 * Clients send nothing more for an empty file, so it has to appear now. A file that is there already stays:
 * a token is not an upload, and `dst_dir`, which may lead elsewhere, comes only with the upload.
 */
async function place(vfolder: Beneath, target: RelPath, isEmpty: boolean): Promise<void> {
  try {
    using uploads = await vfolder.descend(UPLOAD_PATH);
    using parent = await openTargetParent(vfolder, uploads, target, { makeParents: false });
    if (!isEmpty) return;
    const options = { create: 'exclusive', mode: STAGING_MODE } as const;
    await (await parent.openFile(target.name, options)).close();
    await parent.syncDirectory();
  } catch (error) {
    if (!isErrno(error, Errno.EEXIST, Errno.ENOENT)) throw error;
  }
}
