import { sync } from '../../native/calls.js';
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
} from '../../native/constants.js';
import { Errno, SystemError } from '../../native/errno.js';

const CONFINED = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
const HERE = Buffer.from('.');
const SLASH = 0x2f;

/** Opens the directory at `path` beneath the volume's mount path, for reading; the caller closes it. */
export function openLocation(volumePath: string, path: Buffer): number {
  return withVolume(volumePath, (volume) => openBeneath(volume, path));
}

/** The same for a directory below `root`: links on the way are followed while they stay inside `root`. */
export function openWithin(volumePath: string, root: Buffer, path: Buffer): number {
  return withRoot(volumePath, root, (fd) => openBeneath(fd, path));
}

/** Runs `work` on the descriptor of the directory at `root`, good for `*at` calls and not for reading. */
export function withRoot<Result>(
  volumePath: string,
  root: Buffer,
  work: (fd: number) => Result,
): Result {
  return withVolume(volumePath, (volume) => {
    const fd = openBeneath(volume, root, O_PATH);
    try {
      return work(fd);
    } finally {
      sync.close(fd);
    }
  });
}

/**
 * Opens, beneath `fd`, the directory that holds the last component of `path`. Throws EINVAL for a path
 * without one.
 */
export function openParent(fd: number, path: Buffer): { parent: number; name: Buffer } {
  const cut = path.lastIndexOf(SLASH);
  const name = path.subarray(cut + 1);
  if (name.length === 0 || name.equals(HERE)) throw new SystemError(Errno.EINVAL, 'path');
  return { parent: openBeneath(fd, cut < 0 ? HERE : path.subarray(0, cut), O_PATH), name };
}

/** `openParent` of a location on the volume. */
export function openLocationParent(
  volumePath: string,
  path: Buffer,
): { parent: number; name: Buffer } {
  return withVolume(volumePath, (volume) => openParent(volume, path));
}

function withVolume<Result>(volumePath: string, work: (volume: number) => Result): Result {
  const volume = sync.openat(AT_FDCWD, Buffer.from(volumePath), O_PATH | O_DIRECTORY | O_CLOEXEC);
  try {
    return work(volume);
  } finally {
    sync.close(volume);
  }
}

function openBeneath(fd: number, path: Buffer, mode: number = O_RDONLY | O_NONBLOCK): number {
  const flags = mode | O_DIRECTORY | O_CLOEXEC;
  return sync.openat2(fd, path.length === 0 ? HERE : path, flags, 0, CONFINED);
}
