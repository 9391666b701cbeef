import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory, type Stat } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import { newSessionId } from '../ids/session-id.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { openUploadDirectory } from '../uploads/begin-upload.js';
import { CopyRecord, copyNames } from '../uploads/copy-record.js';
import { UPLOAD_PATH } from '../uploads/upload-names.js';
import type { Slot } from '../uploads/staged-file.js';
import type { Volume } from '../volume.js';
import { copyEntry, finishDirectory, notCopied, WORKING_MODE } from './copy-entry.js';

/** What was copied is remembered until it has been removed: about as much memory as this process can spare for it. */
const MAX_ENTRIES = 1_000_000;

export interface Transplant {
  readonly from: RelPath;
  readonly to: RelPath;
  /** Whether what has the name already makes way; not for an entry moved into a directory. */
  readonly replace: boolean;
}

interface Copied {
  /** Below the entry that is moved; empty for itself. */
  readonly path: Buffer;
  readonly stat: Pick<Stat, 'ino' | 'size' | 'mtimeNs' | 'mode'>;
}

/** One move at work. Every open is confined to the vfolder, and each blocking step has a slot of its own. */
interface Work extends Transplant {
  readonly volume: Volume;
  readonly ref: VFolderRef;
  readonly vfolder: Beneath;
  readonly slot: Slot;
}

/**
 * A move that rename(2) refuses with EXDEV: a border of quotas runs through the vfolder. The entry is copied beside
 * its destination with all that it is, renamed into place when it is whole, and only then removed where it was: of that
 * what was copied and is as it was then. It takes as long as it takes; the caller holds no slot of the volume.
 *
 * @throws StorageError UNSUPPORTED when something cannot be copied, LOCKED when somebody writes to it: nothing has
 *   changed then, or what was written at the very end has stayed where it was
 */
export async function transplant(volume: Volume, ref: VFolderRef, move: Transplant): Promise<void> {
  using vfolder = await volume.io(() => volume.openVFolder(ref.id));
  const { directory } = await volume.io(() => openUploadDirectory(vfolder));
  using uploads = directory;
  const id = newSessionId();
  const copy = move.to.parent().join(copyNames(id).moving);
  const record = await volume.io(() => CopyRecord.begin(uploads, id, copy));
  const slot: Slot = async (work) => {
    await volume.io(() => record.touch());
    return await volume.io(work);
  };
  const work: Work = { ...move, volume, ref, vfolder, slot };
  try {
    await removeCopied(work, await placeCopy(work, copy));
  } finally {
    await volume.io(async () => {
      await record.end();
      await vfolder.rmdir(UPLOAD_PATH).catch(ignoreInUse);
    });
  }
}

/** Resolves when the copy is in place; leaves nothing of it otherwise. */
async function placeCopy(work: Work, copy: RelPath): Promise<readonly Copied[]> {
  const { volume, ref, vfolder, from, to, replace, slot } = work;
  try {
    const copied = await copyTree(work, copy);
    for (const { path, stat } of copied) {
      if (!(await slot(() => isUnchanged(vfolder, below(from, path), stat)))) throw inUse();
    }
    await slot(() => vfolder.rename(copy.toBytes(), to.toBytes(), { noReplace: !replace }));
    await slot(() => vfolder.syncDirectory(to.parent().toBytes()));
    return copied;
  } catch (error) {
    await volume.strategies.trees
      .removeEntry(volume.locate(ref.id), copy.toBytes())
      .catch(ignoreMissing);
    throw error;
  }
}

async function copyTree(work: Work, to: RelPath): Promise<readonly Copied[]> {
  const { volume, ref, vfolder, from, slot } = work;
  const top = await copyEntry(vfolder, slot, from, to);
  const copied: Copied[] = [{ path: Buffer.alloc(0), stat: top }];
  if (!isDirectory(top)) return copied;
  const directories: [RelPath, Stat][] = [[to, top]];
  const { trees } = volume.strategies;
  const location = volume.locate(ref.id);
  for await (const batch of trees.scan(location, from.toBytes())) {
    for (const { path } of batch) {
      if (copied.length >= MAX_ENTRIES) throw notCopied();
      const target = below(to, path);
      const stat = await copyEntry(vfolder, slot, below(from, path), target);
      if (isDirectory(stat)) directories.push([target, stat]);
      const { ino, size, mtimeNs, mode } = stat;
      copied.push({ path, stat: { ino, size, mtimeNs, mode } });
    }
  }
  // A scan passes over special files, which would stay behind.
  const source = { path: Buffer.concat([location.path, Buffer.from('/'), from.toBytes()]) };
  const { fileCount } = await trees.usage(source, { exact: true });
  if (fileCount !== copied.length - 1) throw notCopied();
  for (const [path, stat] of directories.toReversed()) {
    await slot(() => finishDirectory(vfolder, path, stat));
  }
  return copied;
}

/** Children before their directories. What is not what was copied stays, and keeps its directories. */
async function removeCopied(work: Work, copied: readonly Copied[]): Promise<void> {
  const { vfolder, from, slot } = work;
  let left = 0;
  for (const { path, stat } of copied.filter(mustBeOpened)) {
    await slot(() => vfolder.chmodDirectory(below(from, path).toBytes(), stat.mode | WORKING_MODE));
  }
  for (const { path, stat } of copied.toReversed()) {
    if (!(await slot(() => removeOne(vfolder, below(from, path), stat)))) left += 1;
  }
  if (left > 0) throw stayedBehind(left);
}

/** A directory that its owner may not change cannot be emptied either. */
function mustBeOpened({ stat }: Copied): boolean {
  return isDirectory(stat) && (stat.mode & WORKING_MODE) !== WORKING_MODE;
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

/** `path` comes from a scan: components without `.` or `..`. */
function below(base: RelPath, path: Buffer): RelPath {
  let at = base;
  for (let start = 0; start < path.length;) {
    const cut = path.indexOf(0x2f, start);
    const end = cut < 0 ? path.length : cut;
    at = at.join(path.subarray(start, end));
    start = end + 1;
  }
  return at;
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

function ignoreInUse(error: unknown): void {
  if (!isErrno(error, Errno.ENOTEMPTY, Errno.EEXIST, Errno.ENOENT)) throw error;
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}
