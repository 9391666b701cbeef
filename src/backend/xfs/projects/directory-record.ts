import { calls, sync } from '../../../native/calls.js';
import { Errno, isErrno } from '../../../native/errno.js';

/** Readable and writable with CAP_SYS_ADMIN only, so that no tenant sets it. */
const ATTRIBUTE = 'trusted.storage_proxy.hard_bytes';

/** No room for it, or a filesystem image that takes no such attributes: it is a help for repairs, and no more. */
const DISPENSABLE = [Errno.ENOSPC, Errno.EDQUOT, Errno.EOPNOTSUPP];

/**
 * The limit that was last asked for, on the directory itself. The kernel enforces its own record; but that goes
 * when the quota files are rebuilt or the data is restored elsewhere, and this stays, for `quota check`.
 * `null`: nobody asked for one.
 */
export async function recordLimit(fd: number, hardBytes: number | null): Promise<void> {
  try {
    if (hardBytes === null) await calls.fremovexattr(fd, ATTRIBUTE).catch(ignoreMissing);
    else await calls.fsetxattr(fd, ATTRIBUTE, String(hardBytes));
    await calls.fsync(fd);
  } catch (error) {
    if (!isErrno(error, ...DISPENSABLE)) throw error;
  }
}

export function recordedLimit(fd: number): number | null {
  try {
    const text = sync.fgetxattr(fd, ATTRIBUTE).toString('latin1');
    return /^[1-9]\d{0,15}$/.test(text) ? Number(text) : null;
  } catch (error) {
    if (isErrno(error, Errno.ENODATA, Errno.EOPNOTSUPP)) return null;
    throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENODATA)) throw error;
}
