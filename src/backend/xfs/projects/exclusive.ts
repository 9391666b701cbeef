import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../../../errors/storage-error.js';
import { calls } from '../../../native/calls.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  LOCK_EX,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  S_IFMT,
  S_IFREG,
} from '../../../native/constants.js';
import { Errno, isErrno } from '../../../native/errno.js';

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
/** Longer than anybody holds the lock of a filesystem, who has not hung. */
const PATIENCE_MS = 30_000;
/** More would be waiting for their own deadlines only. */
const MOST_WAITING = 256;

const NOTHING = Buffer.alloc(0);
const OTHERS_MAY_WRITE = 0o022;
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;
const SHARED_FILE = 0o644;

/** What a lock is made of: an open descriptor that flock(2) is called on. */
type OpenLock = () => Promise<number>;

/**
 * Runs one piece of work after the other: in this process in the order they came, and never while another process of
 * the host runs one.
 */
export class HostLock {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #failure: { readonly at: number; readonly error: StorageError } | undefined;

  constructor(
    private readonly name: string,
    private readonly open: OpenLock,
    private readonly patienceMs: number = PATIENCE_MS,
  ) {}

  /** @throws StorageError UNAVAILABLE when it is another process's turn for too long, or too many wait */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MOST_WAITING) return Promise.reject(tooMany(this.name));
    this.#waiting += 1;
    const cameAt = performance.now();
    const turn = this.#last.then(() => this.#locked(cameAt, work));
    this.#last = turn.catch(() => undefined).then(() => void (this.#waiting -= 1));
    return turn;
  }

  async #locked<T>(cameAt: number, work: () => Promise<T>): Promise<T> {
    // Whoever waited behind one that waited in vain has waited as long.
    if (this.#failure && this.#failure.at > cameAt) throw this.#failure.error;
    const fd = await this.open();
    try {
      if (!(await locks(fd, this.patienceMs))) {
        const error = heldTooLong(this.name, this.patienceMs);
        this.#failure = { at: performance.now(), error };
        throw error;
      }
      return await work();
    } finally {
      await calls.close(fd);
    }
  }
}

/**
 * Opens a file in `directory`, which is made when it is missing and is this user's alone: flock(2) needs no more than
 * permission to read, so nobody else may even open what is locked.
 *
 * @throws StorageError UNAVAILABLE, with the remedy, when there is no such place
 */
export async function openPrivateLock(directory: string, name: string): Promise<number> {
  const path = Buffer.from(directory);
  try {
    await calls.mkdirat(AT_FDCWD, path, PRIVATE_DIRECTORY).catch((error: unknown) => {
      if (!isErrno(error, Errno.EEXIST)) throw error;
    });
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const parent = await calls.openat(AT_FDCWD, path, flags);
    try {
      const { uid, mode } = await calls.statx(parent, NOTHING, AT_EMPTY_PATH);
      if (!isTrusted(uid) || (mode & OTHERS_MAY_WRITE) !== 0) {
        throw noPlace(directory, 'others may write there');
      }
      return await openRegular(parent, Buffer.from(name), O_RDWR | O_CREAT, PRIVATE_FILE);
    } finally {
      await calls.close(parent);
    }
  } catch (error) {
    if (!isErrno(error)) throw error;
    throw noPlace(directory, `${error.syscall} failed with ${error.code}`, error);
  }
}

/** A lock file that everybody may open, so that others may hold it as long as they like. `null` when one does for `patienceMs`. */
export async function lockSharedFile(path: string, patienceMs: number): Promise<number | null> {
  const fd = await openSharedFile(Buffer.from(path));
  try {
    if (await locks(fd, patienceMs)) return fd;
  } catch (error) {
    await calls.close(fd);
    throw error;
  }
  await calls.close(fd);
  return null;
}

/**
 * Found before it is made: in a sticky directory the kernel refuses O_CREAT on somebody else's file, and a
 * link there may have been put to have root write elsewhere.
 */
async function openSharedFile(path: Buffer): Promise<number> {
  try {
    return await openRegular(AT_FDCWD, path, O_RDONLY);
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT)) throw error;
  }
  try {
    return await openRegular(AT_FDCWD, path, O_RDONLY | O_CREAT | O_EXCL, SHARED_FILE);
  } catch (error) {
    if (!isErrno(error, Errno.EEXIST)) throw error;
    return await openRegular(AT_FDCWD, path, O_RDONLY);
  }
}

/** Nothing else would be a lock, and opening a FIFO without O_NONBLOCK would never end. */
async function openRegular(
  directory: number,
  name: Buffer,
  flags: number,
  mode?: number,
): Promise<number> {
  const always = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const fd = await calls.openat(directory, name, flags | always, mode);
  try {
    const stat = await calls.statx(fd, NOTHING, AT_EMPTY_PATH);
    if ((stat.mode & S_IFMT) !== S_IFREG) throw notRegular(name);
    return fd;
  } catch (error) {
    await calls.close(fd);
    throw error;
  }
}

async function locks(fd: number, patienceMs: number): Promise<boolean> {
  const patienceEndsAt = performance.now() + patienceMs;
  for (let pauseMs = FIRST_PAUSE_MS; !(await calls.flock(fd, LOCK_EX));) {
    if (performance.now() >= patienceEndsAt) return false;
    await sleep(pauseMs);
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
  return true;
}

function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

function unavailable(message: string, cause?: unknown): StorageError {
  return new StorageError('UNAVAILABLE', message, { subject: 'volume' }, { cause });
}

function heldTooLong(name: string, patienceMs: number): StorageError {
  return unavailable(
    `the lock ${name} has been held by another process for ${patienceMs / 1000} s`,
  );
}

function tooMany(name: string): StorageError {
  return unavailable(`${MOST_WAITING} requests wait for the lock ${name} already`);
}

function notRegular(name: Buffer): StorageError {
  return unavailable(`${name.toString()} is no regular file and cannot be a lock`);
}

function noPlace(directory: string, found: string, cause?: unknown): StorageError {
  return unavailable(
    `locks cannot be kept in ${directory}: ${found}. Let it be made for root alone, mode 0700 ` +
      '(in a systemd unit: RuntimeDirectory=)',
    cause,
  );
}
