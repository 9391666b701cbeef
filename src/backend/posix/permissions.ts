import { sync } from '../../native/calls.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
} from '../../native/constants.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { Descent } from './descent.js';

/** Read, write and search for the owner: what the proxy needs to change a directory of its own. */
const OWNER_ALL = 0o700;
const PERMISSIONS = 0o7777;
const EMPTY = Buffer.alloc(0);

/** Lets the owner read, write and search the open directory (O_PATH will do); EPERM when it is somebody else's. */
export function makeAccessible(fd: number): void {
  const { mode } = sync.statx(fd, EMPTY, AT_EMPTY_PATH);
  if ((mode & OWNER_ALL) === OWNER_ALL) return;
  // fchmod(2) refuses O_PATH descriptors; this link leads to the inode itself, whatever its name is by now.
  const itself = Buffer.from(`/proc/self/fd/${fd}`);
  sync.fchmodat(AT_FDCWD, itself, (mode & PERMISSIONS) | OWNER_ALL);
}

/**
 * `descent.enter` for a walk that changes the tree: a directory that may not be read is made accessible
 * first, through a descriptor, so that a link that takes its place is not followed.
 */
export function enterMakingAccessible<State>(
  descent: Descent<State>,
  name: Buffer,
  state: State,
): void {
  try {
    descent.enter(name, state);
  } catch (error) {
    if (!isErrno(error, Errno.EACCES)) throw error;
    const fd = sync.openat(descent.here.fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    try {
      makeAccessible(fd);
    } finally {
      sync.close(fd);
    }
    descent.enter(name, state);
  }
}
