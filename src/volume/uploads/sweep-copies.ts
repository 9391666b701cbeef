import type { Entry } from '../../backend/contract/entry.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import { copyNames } from './copy-record.js';
import { parseUploadName, UPLOAD_PATH } from './upload-names.js';
import { touchedMs } from './sweep-uploads.js';

const SLASH = 0x2f;
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
 * records. A record is a tenant's to forge: nothing is removed that has not the name of its own copy, and
 * nothing outside the vfolder. Rejects with SystemError.
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
    if (parsed?.kind !== 'copy' || touchedMs(entry) >= beforeMs) continue;
    await removeCopy(volume, ref, parsed.session, entry.target);
    await volume.io(async () => {
      using vfolder = await volume.openVFolder(ref.id);
      using uploads = await vfolder.descend(UPLOAD_PATH);
      await uploads.unlink(entry.name).catch(ignoreMissing);
    });
    removed += 1;
  }
  return removed;
}

async function removeCopy(
  volume: Volume,
  ref: VFolderRef,
  id: string,
  path: Buffer | undefined,
): Promise<void> {
  if (path === undefined) return;
  const name = path.subarray(path.lastIndexOf(SLASH) + 1);
  const { uploading, moving } = copyNames(id);
  if (!name.equals(uploading) && !name.equals(moving)) return;
  try {
    await volume.strategies.trees.removeEntry(volume.locate(ref.id), path);
  } catch (error) {
    if (!isErrno(error, ...NOT_A_COPY)) throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT, Errno.EISDIR)) throw error;
}
