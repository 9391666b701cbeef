import { sync } from '../../../native/calls.js';
import { Errno, isErrno } from '../../../native/errno.js';
import type { Walk } from '../walk.js';

/** Values of extended attributes of the directory `fd`, which is taken over; `null` for those it does not have. */
// eslint-disable-next-line require-yield -- few calls, and a walk like the others
export function* attributes(fd: number, names: readonly string[]): Walk<(string | null)[]> {
  try {
    return names.map((name) => read(fd, name));
  } finally {
    sync.close(fd);
  }
}

function read(fd: number, name: string): string | null {
  try {
    return sync.fgetxattr(fd, name).toString('latin1');
  } catch (error) {
    if (isErrno(error, Errno.ENODATA, Errno.EOPNOTSUPP)) return null;
    throw error;
  }
}
