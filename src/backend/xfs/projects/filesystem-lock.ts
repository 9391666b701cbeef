import { calls } from '../../../native/calls.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
} from '../../../native/constants.js';
import { HostLock, openPrivateLock } from './exclusive.js';

/** Not below /run/storage-proxy, which a service manager may remove and make again while somebody holds a lock in it. */
export const LOCK_DIRECTORY = '/run/storage-proxy-projects';

const HERE = Buffer.alloc(0);
const LOW_HALF = 0xffff_ffffn;

/**
 * The lock of the filesystem that is mounted at a path: held while its projects are made and changed. Volumes of one
 * filesystem have it in common, through whichever mount they are seen.
 */
export function filesystemLock(mountPath: string): HostLock {
  return new HostLock(`of the filesystem at ${mountPath}`, () => openLock(mountPath));
}

/** @throws StorageError UNAVAILABLE, with the remedy, where there can be no such lock */
export async function assertLockable(mountPath: string): Promise<void> {
  await calls.close(await openLock(mountPath));
}

async function openLock(mountPath: string): Promise<number> {
  const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const fd = await calls.openat(AT_FDCWD, Buffer.from(mountPath), flags);
  try {
    const { dev } = await calls.statx(fd, HERE, AT_EMPTY_PATH);
    return await openPrivateLock(LOCK_DIRECTORY, `${dev >> 32n}:${dev & LOW_HALF}.lock`);
  } finally {
    await calls.close(fd);
  }
}
