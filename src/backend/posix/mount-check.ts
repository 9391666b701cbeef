import { access, constants } from 'node:fs/promises';
import { StorageError } from '../../errors/storage-error.js';
import { Beneath } from '../../native/beneath.js';
import { Errno, isErrno, SystemError } from '../../native/errno.js';

/** Longest time a mount may take to answer before it counts as hung. */
const DEADLINE_MS = 10_000;
const LAYOUT_MARKER = Buffer.from('version.txt');

/** What was found of a mount that works. */
export interface MountState {
  /** Whether `version.txt` is there; a volume without one has the layout of the generation before scopes. */
  readonly hasLayoutMarker: boolean;
}

/** What keeps a mount from being used, and the remedy: a sentence that needs no other explanation. */
export class UnusableMount extends Error {}

/**
 * Checks that a volume's mount path is there, a directory, and usable by this process, or what else `look` looks at. A
 * check that hangs keeps a thread of the pool until the mount answers, so that path is not checked again before.
 */
export class MountCheck<T extends MountState = MountState> {
  readonly #running = new Map<string, Promise<T>>();

  constructor(
    private readonly look: (path: string) => Promise<T>,
    private readonly deadlineMs = DEADLINE_MS,
  ) {}

  /** Rejects with StorageError `UNAVAILABLE`: what was found, and the remedy. */
  async check(volume: string, path: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new SystemError(Errno.ETIMEDOUT, 'open');
      timer = setTimeout(() => reject(error), this.deadlineMs);
    });
    try {
      return await Promise.race([this.#once(path), late]);
    } catch (error) {
      throw new StorageError(
        'UNAVAILABLE',
        `Volume "${volume}" cannot be used: ${explain(error, path, this.deadlineMs)}`,
        { subject: 'volume', volume },
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  #once(path: string): Promise<T> {
    let running = this.#running.get(path);
    if (!running) {
      running = this.look(path).finally(() => this.#running.delete(path));
      this.#running.set(path, running);
    }
    return running;
  }
}

/** What every backend on a mounted filesystem asks. Rejects with SystemError. */
export async function lookAtMount(path: string): Promise<MountState> {
  const mount = await Beneath.open(path);
  try {
    const itself = `/proc/self/fd/${mount.fd}/.`;
    await access(itself, constants.R_OK | constants.W_OK | constants.X_OK).catch((error: Error) => {
      throw SystemError.from(error, 'access');
    });
    return { hasLayoutMarker: await hasLayoutMarker(mount) };
  } finally {
    mount.close();
  }
}

async function hasLayoutMarker(mount: Beneath): Promise<boolean> {
  try {
    await mount.lstat(LAYOUT_MARKER);
    return true;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return false;
    throw error;
  }
}

function explain(error: unknown, path: string, deadlineMs: number): string {
  if (error instanceof UnusableMount) return error.message;
  if (!isErrno(error)) return `checking ${path} failed (${String(error)})`;
  switch (error.errno) {
    case Errno.ENOENT:
      return `${path} does not exist. Mount the filesystem there, or correct "path"`;
    case Errno.ENOTDIR:
      return `${path} is not a directory. Correct "path"`;
    case Errno.EACCES:
    case Errno.EPERM:
      return `uid ${process.geteuid!()} may not read, write and search ${path}. Give it to the user of the proxy, or set "user" and "group"`;
    case Errno.EROFS:
      return `${path} is mounted read-only. Mount it read-write`;
    case Errno.ETIMEDOUT:
      return `${path} did not answer within ${deadlineMs / 1000} s. Check the network and the file server`;
    case Errno.ESTALE:
    case Errno.ENOTCONN:
    case Errno.ESHUTDOWN:
    case Errno.ECONNABORTED:
      return `the mount at ${path} is dead (${error.code}). Unmount it and mount it again`;
    default:
      return `${error.syscall} of ${path} failed with ${error.code}`;
  }
}
