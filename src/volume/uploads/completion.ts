import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { RelPath } from '../ids/relpath.js';
import { CopyRecord, copyNames } from './copy-record.js';
import type { Slot, StagedFile } from './staged-file.js';
import { openTargetParent } from './target-parent.js';

const ELSEWHERE = [Errno.ENOENT, Errno.ENOTDIR, Errno.EXDEV, Errno.ELOOP, Errno.EACCES];

/**
 * Moves a whole, synced staging file to its place, replacing a file or link that is there. The lock is held.
 * Where a border of quotas lies in between, which no rename crosses, the bytes are copied, a part at a time.
 *
 * Rejects with SystemError: EISDIR when a directory is there, EXDEV when the path leads out of the vfolder,
 * ENOENT when the parent is missing and `makeParents` is not set; with StorageError INVALID_ARGUMENT when links
 * lead among the staging files.
 *
 * A crash leaves one of three states, and each leads to the end:
 * 1. staging file and offset record: where the record vouches for all bytes the next request starts here again, else
 *    with the bytes that are missing;
 * 2. staging file and marker: the same, the marker already says that every byte is durable;
 * 3. the marker alone: finished, since the first rename is durable before the second is made.
 */
export async function putInPlace(
  staged: StagedFile,
  target: RelPath,
  options: { readonly sizeBytes: number; readonly makeParents: boolean; readonly slot: Slot },
): Promise<void> {
  const { slot } = options;
  const { directory, names } = staged;
  let isInPlace = false;
  try {
    await slot(() => markWhole(directory, names));
    using parent = await slot(() => openTargetParent(staged.vfolder, directory, target, options));
    await move(staged, parent, target, slot);
    isInPlace = true;
    await slot(() => parent.syncDirectory());
  } catch (error) {
    if (!isInPlace) await slot(() => unmark(staged, options.sizeBytes));
    throw error;
  }
  await slot(() => directory.syncDirectory());
  // Otherwise it takes some bytes of a quota until it is swept.
  await slot(() => staged.clearRecord()).catch(() => undefined);
}

/** Renames the record rather than making a file, which could fail in a full quota. */
async function markWhole(directory: Beneath, names: StagedFile['names']): Promise<void> {
  await directory.rename(names.offset, names.done);
  await directory.syncDirectory();
}

/**
 * Without its staging file an upload is known by the marker alone, so that goes, as soon as the record says of the bytes
 * what it did. Where there is no room to record that, the marker stays: rather that than all bytes once more.
 */
async function unmark(staged: StagedFile, sizeBytes: number): Promise<void> {
  try {
    await staged.recordWhole(sizeBytes);
    await staged.directory.rename(staged.names.done, staged.names.offset);
  } catch (error) {
    // The failure that led here is the one to report.
    if (!isErrno(error)) throw error;
  }
}

async function move(
  staged: StagedFile,
  parent: Beneath,
  target: RelPath,
  slot: Slot,
): Promise<void> {
  const { directory, names } = staged;
  try {
    await slot(() => directory.renameTo(parent, names.staging, target.name));
  } catch (error) {
    if (!isErrno(error, Errno.EXDEV)) throw error;
    await copyAcross(staged, parent, target, slot);
  }
}

/**
 * The copy appears whole or not at all, and the staging file goes when it has: a crash before that repeats the
 * copy, one after it finds the upload finished.
 */
async function copyAcross(
  staged: StagedFile,
  parent: Beneath,
  target: RelPath,
  slot: Slot,
): Promise<void> {
  const session = staged.names.staging.toString();
  const copy = copyNames(session).uploading;
  const record = await slot(() =>
    CopyRecord.begin(staged.directory, session, target.parent().join(copy)),
  );
  try {
    // Of an earlier attempt; the lock says that nobody is at it now.
    await slot(() => parent.unlink(copy)).catch(ignoreMissing);
    await staged.copyTo(parent, copy, async (work) => {
      await slot(() => record.touch());
      return await slot(work);
    });
    await slot(() => parent.rename(copy, target.name));
  } catch (error) {
    await discard(parent, copy, record, slot);
    throw error;
  }
  await slot(() => parent.syncDirectory());
  await slot(() => staged.directory.unlink(staged.names.staging));
  // The upload is finished from here on, whatever becomes of the record, which is swept if need be.
  await slot(() => record.end()).catch(() => undefined);
}

/** What cannot be removed is swept by its record. The failure that led here is the one to report. */
async function discard(
  parent: Beneath,
  copy: Buffer,
  record: CopyRecord,
  slot: Slot,
): Promise<void> {
  try {
    await slot(() => parent.unlink(copy)).catch(ignoreMissing);
    await slot(() => record.end());
  } catch (error) {
    if (!isErrno(error)) throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}

/**
 * Makes the place of a finished upload durable, before it is called finished to a client that asks again: the proxy
 * may have died, or the sync failed, right after the move. Rejects with SystemError.
 */
export async function syncPlace(vfolder: Beneath, target: RelPath): Promise<void> {
  try {
    await vfolder.syncDirectory(target.parent().toBytes());
  } catch (error) {
    // The owner has moved or removed the directory meanwhile, which is theirs to do.
    if (!isErrno(error, ...ELSEWHERE)) throw error;
  }
}
