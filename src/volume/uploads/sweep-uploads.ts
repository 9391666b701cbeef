import type { Entry } from '../../backend/contract/entry.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { StagedFile } from './staged-file.js';
import { parseUploadName, UPLOAD_PATH, uploadNames } from './upload-names.js';

const HERE = Buffer.from('.');
const NS_PER_MS = 1_000_000n;

/** What was last touched before these moments (milliseconds since the epoch) goes. */
export interface SweepLimits {
  /** Uploads that nobody continues. */
  readonly stagedBeforeMs: number;
  /** Markers of finished uploads. */
  readonly finishedBeforeMs: number;
}

/**
 * Removes from one vfolder's `.upload`, whose listing is `entries`, what belongs to uploads that nobody
 * continues, and the markers of those long finished. Uploads that a request holds are left alone, and so
 * is whatever is not ours. Removes `.upload` itself when nothing is left. Rejects with SystemError.
 *
 * @returns how many entries were removed
 */
export async function sweepUploads(
  vfolder: Beneath,
  entries: readonly Entry[],
  limits: SweepLimits,
): Promise<number> {
  const ours = entries.flatMap((entry) => {
    const parsed = parseUploadName(entry.name);
    return parsed && parsed.kind !== 'copy' && parsed.kind !== 'moved'
      ? [{ ...parsed, name: entry.name, touchedMs: touchedMs(entry) }]
      : [];
  });
  const staged = new Set(
    ours.filter(({ kind }) => kind === 'staging').map(({ session }) => session),
  );
  let removed = 0;
  for (const { session, kind, name, touchedMs } of ours) {
    const before = kind === 'done' ? limits.finishedBeforeMs : limits.stagedBeforeMs;
    if (touchedMs >= before) continue;
    if (kind === 'staging') removed += await removeAbandoned(vfolder, session, before);
    else if (!staged.has(session)) removed += await removeRecord(vfolder, name);
  }
  await vfolder.rmdir(UPLOAD_PATH).catch(ignoreInUse);
  return removed;
}

/** Renames leave mtime alone, writes through a mapping may leave ctime alone. */
export function touchedMs(times: Pick<Entry, 'mtimeNs' | 'ctimeNs'>): number {
  const last = times.mtimeNs > times.ctimeNs ? times.mtimeNs : times.ctimeNs;
  return Number(last / NS_PER_MS);
}

/** Under the lock, and only if it was not touched since the listing. */
async function removeAbandoned(
  vfolder: Beneath,
  session: string,
  beforeMs: number,
): Promise<number> {
  const names = uploadNames(session);
  if (names === undefined) return 0;
  const staged = await StagedFile.open(await vfolder.descend(HERE), names);
  if (!(staged instanceof StagedFile)) return 0;
  try {
    if (touchedMs(staged.stat) >= beforeMs) return 0;
    await staged.remove();
    return 1;
  } finally {
    await staged.close();
  }
}

async function removeRecord(vfolder: Beneath, name: Buffer): Promise<number> {
  try {
    await vfolder.unlink(Buffer.concat([UPLOAD_PATH, Buffer.from('/'), name]));
    return 1;
  } catch (error) {
    // A directory has its name.
    if (isErrno(error, Errno.ENOENT, Errno.EISDIR)) return 0;
    throw error;
  }
}

function ignoreInUse(error: unknown): void {
  if (!isErrno(error, Errno.ENOTEMPTY, Errno.EEXIST, Errno.ENOENT)) throw error;
}
