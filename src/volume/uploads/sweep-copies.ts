import type { Entry } from '../../backend/contract/entry.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import { recordedCopy } from './copy-record.js';
import { parseUploadName, UPLOAD_PATH } from './upload-names.js';
import { touchedMs } from './sweep-uploads.js';

/** What a record that a tenant forged may lead to. */
const NOT_A_COPY = [
  Errno.ENOENT,
  Errno.ENOTDIR,
  Errno.ELOOP,
  Errno.EXDEV,
  Errno.ENAMETOOLONG,
  Errno.EINVAL,
];

/**
 * Removes what is left of copies that nobody has worked on since `beforeMs` (milliseconds since the epoch), and their
 * records. What was hidden to be moved goes when its copy is in place, else it gets its name back. A record is a
 * tenant's to forge: nothing is removed or renamed that has not a name of its own, and nothing outside the vfolder.
 * Rejects with SystemError.
 *
 * @param entries the listing of `.upload`
 * @returns how many records were removed
 */
export async function sweepCopies(
  volume: Volume,
  ref: VFolderRef,
  entries: readonly Entry[],
  beforeMs: number,
): Promise<number> {
  let removed = 0;
  for (const entry of entries) {
    const parsed = parseUploadName(entry.name);
    if (parsed?.kind !== 'copy' && parsed?.kind !== 'moved') continue;
    if (touchedMs(entry) >= beforeMs) continue;
    const { copy, source } = recordedCopy(parsed.session, entry.target ?? Buffer.alloc(0));
    if (parsed.kind === 'moved') await remove(volume, ref, source?.hidden);
    else {
      if (source && !(await putBack(volume, ref, source))) continue;
      await remove(volume, ref, copy);
    }
    await volume.io(async () => {
      using vfolder = await volume.openVFolder(ref.id);
      using uploads = await vfolder.descend(UPLOAD_PATH);
      await uploads.unlink(entry.name).catch(ignoreMissing);
    });
    removed += 1;
  }
  return removed;
}

/** False while something else has the name. */
async function putBack(
  volume: Volume,
  ref: VFolderRef,
  { from, hidden }: { from: Buffer; hidden: Buffer },
): Promise<boolean> {
  try {
    await volume.io(async () => {
      using vfolder = await volume.openVFolder(ref.id);
      await vfolder.rename(hidden, from, { noReplace: true });
    });
  } catch (error) {
    if (isErrno(error, Errno.EEXIST)) return false;
    if (!isErrno(error, ...NOT_A_COPY)) throw error;
  }
  return true;
}

async function remove(volume: Volume, ref: VFolderRef, path: Buffer | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    await volume.strategies.trees.removeEntry(volume.locate(ref.id), path);
  } catch (error) {
    if (!isErrno(error, ...NOT_A_COPY)) throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT, Errno.EISDIR)) throw error;
}
