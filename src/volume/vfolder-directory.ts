import type { Beneath } from '../native/beneath.js';
import { Errno, isErrno } from '../native/errno.js';
import { PREFIX_MODE, VFOLDER_MODE } from './ids/layout.js';

/** Deletions of neighbours may take away an empty prefix directory just after it was made, but not for ever. */
const MAX_ATTEMPTS = 20;

/**
 * Makes the vfolder's directory at `path` below `base`, and its prefix directories. `mode` is exact when it
 * is not the default: the umask does not touch it. False when something has the name already.
 */
export async function makeVFolderDirectory(
  base: Beneath,
  path: Buffer,
  mode: number,
): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await base.mkdirs(path, mode, PREFIX_MODE);
      await applyMode(base, path, mode);
      return true;
    } catch (error) {
      if (isErrno(error, Errno.EEXIST)) return false;
      if (attempt >= MAX_ATTEMPTS || !isErrno(error, Errno.ENOENT)) throw error;
    }
  }
}

export async function applyMode(base: Beneath, path: Buffer, mode: number): Promise<void> {
  if (mode !== VFOLDER_MODE) await base.chmodDirectory(path, mode);
}
