import { sync } from './calls.js';
import { AT_FDCWD } from './constants.js';
import { Errno, SystemError } from './errno.js';

const SLASH = 0x2f;
const DELETED = Buffer.from(' (deleted)');

/**
 * Names that mean something else to a filesystem than a directory entry, such as the `.snap` of CephFS. Resolving
 * them beneath a directory succeeds, so confinement alone does not keep anybody out.
 *
 * Throws EXDEV, as for a path that leads out, when `path` has one of them as a component.
 */
export function refuseReserved(path: Buffer, reserved: readonly Buffer[]): void {
  if (reserved.length > 0 && hasComponent(path, reserved)) {
    throw new SystemError(Errno.EXDEV, 'path');
  }
}

/** The same for what a path led to: a symlink of a tenant can have gone through such a name. Does not block. */
export function refuseOpenedReserved(fd: number, reserved: readonly Buffer[]): void {
  if (reserved.length === 0) return;
  const path = sync.readlinkat(AT_FDCWD, Buffer.from(`/proc/self/fd/${fd}`));
  const isDeleted = path.subarray(-DELETED.length).equals(DELETED);
  refuseReserved(isDeleted ? path.subarray(0, -DELETED.length) : path, reserved);
}

function hasComponent(path: Buffer, names: readonly Buffer[]): boolean {
  for (let start = 0; start <= path.length;) {
    const cut = path.indexOf(SLASH, start);
    const end = cut < 0 ? path.length : cut;
    const component = path.subarray(start, end);
    if (names.some((name) => name.equals(component))) return true;
    start = end + 1;
  }
  return false;
}
