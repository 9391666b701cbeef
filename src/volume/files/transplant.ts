import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory } from '../../native/stat.js';
import { loggerFor } from '../../observability/logger.js';
import type { RelPath } from '../ids/relpath.js';
import { newSessionId } from '../ids/session-id.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { openUploadDirectory } from '../uploads/begin-upload.js';
import { CopyRecord, copyNames } from '../uploads/copy-record.js';
import { UPLOAD_PATH } from '../uploads/upload-names.js';
import type { Slot } from '../uploads/staged-file.js';
import type { Volume } from '../volume.js';
import { WORKING_MODE } from './copy-entry.js';
import { below, copyTree, type Copied } from './copy-tree.js';

const HERE = Buffer.from('.');
const MAX_ATTEMPTS = 3;

const log = loggerFor('files');

export interface Transplant {
  readonly from: RelPath;
  readonly to: RelPath;
  /** Whether what has the name already makes way; not for an entry moved into a directory. */
  readonly replace: boolean;
}

/** One move at work. Every open is confined to the vfolder, and each blocking step has a slot of its own. */
interface Work extends Transplant {
  readonly volume: Volume;
  readonly ref: VFolderRef;
  readonly vfolder: Beneath;
  readonly slot: Slot;
  readonly record: CopyRecord;
  /** Where the copy is made, beside its destination. */
  readonly copy: RelPath;
  /** Where the entry waits to be removed, beside where it was. */
  readonly hidden: RelPath;
}

/**
 * A move that rename(2) refuses with EXDEV: a border of quotas runs through the vfolder. The entry is copied beside
 * its destination with all that it is. When the copy is whole, the entry takes a hidden name, the copy the destination's,
 * and what was copied, and is as it was then, is removed. Of two moves of one entry only one can hide it. It takes as
 * long as it takes; the caller holds no slot of the volume.
 *
 * What a kill leaves, and what the sweep of abandoned uploads makes of it by the record, see copy-record.ts:
 *
 * | killed while           | record   | the entry has                   | the sweep                          |
 * | ---------------------- | -------- | ------------------------------- | ---------------------------------- |
 * | it is copied           | `.copy`  | its old name                    | removes the copy                   |
 * | it is hidden           | `.copy`  | the hidden name                 | gives the old name back, removes the copy |
 * | the copy is in place   | `.copy`  | its new name and the hidden one | gives the old name back: two whole entries |
 * | that has been noted    | `.moved` | its new name                    | removes what is hidden             |
 *
 * Where it cannot be hidden (no room for a record, or XFS and a project id that is not the directory's) it keeps its old
 * name until it is removed: a kill then leaves the new one and all or part of the old one.
 *
 * @throws StorageError UNSUPPORTED when something cannot be copied, LOCKED when somebody writes to it: nothing has
 *   changed then, or what was written at the very end has stayed where it was
 */
export async function transplant(volume: Volume, ref: VFolderRef, move: Transplant): Promise<void> {
  using vfolder = await volume.io(() => volume.openVFolder(ref.id));
  const id = newSessionId();
  const copy = move.to.parent().join(copyNames(id).moving);
  const hidden = move.from.parent().join(copyNames(id).moved);
  const { uploads, record } = await volume.io(() => beginRecord(vfolder, id, copy, move.from));
  const slot: Slot = async (work) => {
    await volume.io(() => record.touch());
    return await volume.io(work);
  };
  try {
    await carry({ ...move, volume, ref, vfolder, slot, record, copy, hidden });
  } finally {
    uploads.close();
    await volume.io(() => vfolder.rmdir(UPLOAD_PATH)).catch(ignoreErrno);
  }
}

/** Another move or a sweep may remove the empty `.upload` between our making it and our using it. */
async function beginRecord(
  vfolder: Beneath,
  id: string,
  copy: RelPath,
  from: RelPath,
): Promise<{ readonly uploads: Beneath; readonly record: CopyRecord }> {
  for (let attempt = 1; ; attempt++) {
    const { directory } = await openUploadDirectory(vfolder);
    try {
      return { uploads: directory, record: await CopyRecord.begin(directory, id, copy, from) };
    } catch (error) {
      directory.close();
      if (attempt === MAX_ATTEMPTS || !isErrno(error, Errno.ENOENT)) throw error;
    }
  }
}

async function carry(work: Work): Promise<void> {
  const { vfolder, from, copy, to, replace, slot } = work;
  let source: RelPath;
  let copied: readonly Copied[];
  try {
    copied = await copyTree(work, from, copy);
    await assertUnchanged(work, copied);
    source = await hide(work, copied[0]!);
    await slot(() => vfolder.rename(copy.toBytes(), to.toBytes(), { noReplace: !replace }));
  } catch (error) {
    // What this cannot undo the sweep can: the record stays. The failure that led here is the one to report.
    await undo(work).catch(() => undefined);
    throw error;
  }
  await finish(work, source, copied);
}

async function assertUnchanged(work: Work, copied: readonly Copied[]): Promise<void> {
  const { vfolder, from, slot } = work;
  for (const { path, stat } of copied) {
    if (!(await slot(() => isUnchanged(vfolder, below(from, path), stat)))) throw inUse();
  }
}

/** Resolves to where the entry is now. Only what is on record is hidden, or nothing would bring it back. */
async function hide(work: Work, { stat }: Copied): Promise<RelPath> {
  const { vfolder, from, hidden, record, slot } = work;
  if (!record.isThere) return from;
  try {
    await slot(() => vfolder.rename(from.toBytes(), hidden.toBytes()));
  } catch (error) {
    // XFS lets nothing with another project id into a directory that hands on its own, not even where it is already.
    if (isErrno(error, Errno.EXDEV)) return from;
    throw error;
  }
  await slot(() => vfolder.syncDirectory(hidden.parent().toBytes()));
  if (!(await slot(() => isUnchanged(vfolder, hidden, stat)))) throw inUse();
  return hidden;
}

/** Nothing has been placed. The record ends when nothing is left that it is needed for. */
async function undo(work: Work): Promise<void> {
  const { volume, ref, copy, record } = work;
  const isBack = await putBack(work);
  await volume.strategies.trees
    .removeEntry(volume.locate(ref.id), copy.toBytes())
    .catch(ignoreMissing);
  if (isBack) await volume.io(() => record.end());
}

/** False when the entry is still hidden, for example since something else has its name. */
async function putBack({ vfolder, from, hidden, slot }: Work): Promise<boolean> {
  try {
    await slot(() => vfolder.rename(hidden.toBytes(), from.toBytes(), { noReplace: true }));
    return true;
  } catch (error) {
    return isErrno(error, Errno.ENOENT);
  }
}

/** The copy is in place: the move has succeeded, but for what changed at the very end. */
async function finish(work: Work, source: RelPath, copied: readonly Copied[]): Promise<void> {
  const { vfolder, to, record, slot } = work;
  const isHidden = source !== work.from;
  let left: number;
  try {
    try {
      await slot(() => vfolder.syncDirectory(to.parent().toBytes()));
    } finally {
      if (isHidden) await slot(() => record.markMoved());
    }
    left = await removeCopied(work, source, copied);
  } catch (error) {
    if (!isHidden) throw error;
    // Nobody sees it any more, and the sweep goes on from here.
    log.warn('What was moved across a border of quotas could not be removed yet', { err: error });
    return;
  }
  if (left > 0 && isHidden) {
    await slot(() => record.unmarkMoved()).catch(ignoreErrno);
    if (!(await putBack(work))) throw stayedBehind(left);
  }
  await slot(() => record.end()).catch(ignoreErrno);
  if (left > 0) throw stayedBehind(left);
}

/** Children before their directories. What is not what was copied stays, and keeps its directories: how many do. */
async function removeCopied(
  { vfolder, slot }: Work,
  source: RelPath,
  copied: readonly Copied[],
): Promise<number> {
  let left = 0;
  for (const { path, stat } of copied.filter(mustBeOpened)) {
    await slot(() => openForRemoval(vfolder, below(source, path), stat));
  }
  for (const { path, stat } of copied.toReversed()) {
    if (!(await slot(() => removeOne(vfolder, below(source, path), stat)))) left += 1;
  }
  return left;
}

/** A directory that its owner may not change cannot be emptied either. */
function mustBeOpened({ stat }: Copied): boolean {
  return isDirectory(stat) && (stat.mode & WORKING_MODE) !== WORKING_MODE;
}

/** Only what was copied: by now something else may have its name. */
async function openForRemoval(
  vfolder: Beneath,
  path: RelPath,
  { ino, mode }: Copied['stat'],
): Promise<void> {
  using directory = await vfolder.descend(path.toBytes());
  if ((await directory.stat()).ino === ino)
    await directory.chmodDirectory(HERE, mode | WORKING_MODE);
}

/** False when the entry has to stay. */
async function removeOne(vfolder: Beneath, path: RelPath, stat: Copied['stat']): Promise<boolean> {
  try {
    if (isDirectory(stat)) await vfolder.rmdir(path.toBytes());
    else if (await isUnchanged(vfolder, path, stat)) await vfolder.unlink(path.toBytes());
    else return false;
    return true;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return true;
    if (isErrno(error, Errno.ENOTEMPTY, Errno.EEXIST, Errno.ENOTDIR)) return false;
    throw error;
  }
}

/** A directory is not to be compared: what was put into it is found when it is to be removed. */
async function isUnchanged(
  vfolder: Beneath,
  path: RelPath,
  { ino, size, mtimeNs, mode }: Copied['stat'],
): Promise<boolean> {
  try {
    const now = await vfolder.lstat(path.toBytes());
    if (now.ino !== ino) return false;
    return isDirectory({ mode }) || (now.size === size && now.mtimeNs === mtimeNs);
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) return false;
    throw error;
  }
}

function inUse(): StorageError {
  return new StorageError(
    'LOCKED',
    'it was written to while it was being moved; nothing has moved',
    {
      subject: 'entry',
    },
  );
}

function stayedBehind(count: number): StorageError {
  return new StorageError(
    'LOCKED',
    `it has moved, but for ${count} entries that were written to meanwhile and have stayed where they were`,
    { subject: 'entry' },
  );
}

function ignoreErrno(error: unknown): void {
  if (!isErrno(error)) throw error;
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}
