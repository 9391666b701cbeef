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
  RESOLVE_NO_SYMLINKS,
} from '../../native/constants.js';
import { Errno, SystemError } from '../../native/errno.js';
import { refuseOpenedReserved, refuseReserved } from '../../native/reserved-names.js';

const CONFINED = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
const HERE = Buffer.from('.');
const SLASH = 0x2f;

/** A volume as its threads know it; see `TreeVolume`. */
export interface OpenableVolume {
  readonly path: string;
  readonly reservedNames: readonly Buffer[];
  /** Links on the way to a location are refused with ELOOP, also those that stay inside. */
  readonly refusesLinks?: boolean;
}

/** Opens the directory at `path` beneath the volume's mount path, for reading; the caller closes it. */
export function openLocation(volume: OpenableVolume, path: Buffer): number {
  return withVolume(volume, (fd) => openBeneath(volume, fd, path));
}

/** The same for a directory below `root`: links on the way are followed while they stay inside `root`. */
export function openWithin(volume: OpenableVolume, root: Buffer, path: Buffer): number {
  return withRoot(volume, root, (fd) => openBeneath(volume, fd, path));
}

/** Runs `work` on the descriptor of the directory at `root`, good for `*at` calls and not for reading. */
export function withRoot<Result>(
  volume: OpenableVolume,
  root: Buffer,
  work: (fd: number) => Result,
): Result {
  return withVolume(volume, (mount) => {
    const fd = openBeneath(volume, mount, root, O_PATH);
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
export function openParent(
  volume: OpenableVolume,
  fd: number,
  path: Buffer,
): { parent: number; name: Buffer } {
  const cut = path.lastIndexOf(SLASH);
  const name = path.subarray(cut + 1);
  if (name.length === 0 || name.equals(HERE)) throw new SystemError(Errno.EINVAL, 'path');
  refuseReserved(name, volume.reservedNames);
  return { parent: openBeneath(volume, fd, cut < 0 ? HERE : path.subarray(0, cut), O_PATH), name };
}

/** `openParent` of a location on the volume. */
export function openLocationParent(
  volume: OpenableVolume,
  path: Buffer,
): { parent: number; name: Buffer } {
  return withVolume(volume, (fd) => openParent(volume, fd, path));
}

function withVolume<Result>({ path }: OpenableVolume, work: (mount: number) => Result): Result {
  const mount = sync.openat(AT_FDCWD, Buffer.from(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
  try {
    return work(mount);
  } finally {
    sync.close(mount);
  }
}

function openBeneath(
  { reservedNames, refusesLinks = false }: OpenableVolume,
  dirfd: number,
  path: Buffer,
  mode: number = O_RDONLY | O_NONBLOCK,
): number {
  refuseReserved(path, reservedNames);
  const flags = mode | O_DIRECTORY | O_CLOEXEC;
  const resolve = refusesLinks ? CONFINED | RESOLVE_NO_SYMLINKS : CONFINED;
  const fd = sync.openat2(dirfd, path.length === 0 ? HERE : path, flags, 0, resolve);
  try {
    refuseOpenedReserved(fd, reservedNames);
    return fd;
  } catch (error) {
    sync.close(fd);
    throw error;
  }
}
