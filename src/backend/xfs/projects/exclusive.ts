import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../../../errors/storage-error.js';
import { calls } from '../../../native/calls.js';
import {
  AT_FDCWD,
  LOCK_EX,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
} from '../../../native/constants.js';
import { Errno, isErrno } from '../../../native/errno.js';

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
/** Longer than anybody holds one of these locks, who has not hung. */
const PATIENCE_MS = 30_000;
const LOCK_FILE_MODE = 0o644;

/** Runs one piece of work after the other, in the order they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** Runs `work` while no other process of the host holds the directory's flock(2). */
export function withLockedDirectory<T>(path: string, work: () => Promise<T>): Promise<T> {
  const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  return locked(path, calls.openat(AT_FDCWD, Buffer.from(path), flags), work);
}

/** The same with a file made for that purpose, which stays. */
export function withLockedFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  return locked(path, openLockFile(Buffer.from(path)), work);
}

/**
 * Found before it is made: in a sticky directory the kernel refuses O_CREAT on somebody else's file, and a
 * link there may have been put to have root write elsewhere.
 */
async function openLockFile(path: Buffer): Promise<number> {
  const flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
  try {
    return await calls.openat(AT_FDCWD, path, flags);
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT)) throw error;
  }
  try {
    return await calls.openat(AT_FDCWD, path, flags | O_CREAT | O_EXCL, LOCK_FILE_MODE);
  } catch (error) {
    if (!isErrno(error, Errno.EEXIST)) throw error;
    return await calls.openat(AT_FDCWD, path, flags);
  }
}

async function locked<T>(
  path: string,
  opening: Promise<number>,
  work: () => Promise<T>,
): Promise<T> {
  const fd = await opening;
  try {
    const patienceEndsAt = Date.now() + PATIENCE_MS;
    for (let pauseMs = FIRST_PAUSE_MS; !(await calls.flock(fd, LOCK_EX));) {
      if (Date.now() > patienceEndsAt) throw heldTooLong(path);
      await sleep(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
    return await work();
  } finally {
    await calls.close(fd);
  }
}

function heldTooLong(path: string): StorageError {
  return new StorageError(
    'UNAVAILABLE',
    `the lock ${path} has been held by another process for ${PATIENCE_MS / 1000} s`,
    { subject: 'volume' },
  );
}
