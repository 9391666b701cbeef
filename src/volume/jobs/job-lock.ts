import type { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import {
  LOCK_EX,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
} from '../../native/constants.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isSameInode } from '../../native/stat.js';

/** The right to run a job, as long as it is held. It goes with the process, however that ends. */
export interface JobLock {
  release(): Promise<void>;
}

/** `held`: somebody else runs the job; `gone`: what the job was about is not there any more. */
export type LockOutcome = JobLock | 'held' | 'gone';

/** For jobs that nobody else can know of. */
export const NO_LOCK: JobLock = { release: async () => undefined };

/**
 * NFS has no locks on directories, and some mounts have none at all. There the work itself is what keeps
 * two hosts apart: sweeping a tree together does no harm, and the owner's heartbeat guards the rest.
 */
const NO_LOCKS_HERE = [
  Errno.EBADF,
  Errno.EINVAL,
  Errno.ENOLCK,
  Errno.ENOSYS,
  Errno.EOPNOTSUPP,
] as const;

const LOCKABLE_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
const CONFINED = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
/** A lock file is only ever replaced when its job ends, so one more look is enough; the rest is caution. */
const MAX_REPLACED = 5;

/** Locks a directory by flock(2) on itself, so that a lock costs no space in a full quota. */
export async function lockDirectory(root: Beneath, path: Buffer): Promise<LockOutcome> {
  let fd: number;
  try {
    fd = await calls.openat2(root.fd, path, LOCKABLE_DIRECTORY, 0, CONFINED);
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return 'gone';
    throw error;
  }
  let taken = false;
  try {
    taken = await tryFlock(fd);
  } finally {
    if (!taken) await calls.close(fd);
  }
  return taken ? { release: () => calls.close(fd) } : 'held';
}

/** Locks a file made for that purpose. */
export async function lockFile(directory: Beneath, name: Buffer): Promise<LockOutcome> {
  for (let attempt = 0; attempt < MAX_REPLACED; attempt++) {
    const file = await directory.openFile(name, {
      write: true,
      create: 'if-missing',
      mode: 0o600,
    });
    try {
      if (!(await tryFlock(file.fd))) {
        await file.close();
        return 'held';
      }
      // The holder before may have removed the file between our open and our lock.
      if (isSameInode(await directory.lstat(name), file.stat)) {
        return { release: () => file.close() };
      }
    } catch (error) {
      if (!isErrno(error, Errno.ENOENT)) {
        await file.close();
        throw error;
      }
    }
    await file.close();
  }
  return 'held';
}

async function tryFlock(fd: number): Promise<boolean> {
  try {
    return await calls.flock(fd, LOCK_EX);
  } catch (error) {
    if (isErrno(error, ...NO_LOCKS_HERE)) return true;
    throw error;
  }
}
