import type { Beneath } from '../native/beneath.js';
import { Errno, isErrno } from '../native/errno.js';
import { PREFIX_MODE, VFOLDER_MODE } from './ids/layout.js';

const HERE = Buffer.from('.');
const SLASH = 0x2f;
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
      await syncNames(base, path);
      return true;
    } catch (error) {
      if (isErrno(error, Errno.EEXIST)) return false;
      if (attempt >= MAX_ATTEMPTS || !isErrno(error, Errno.ENOENT)) throw error;
    }
  }
}

/** Makes the names on the way to `path` durable: the manager was told that the folder exists, and keeps that. */
async function syncNames(base: Beneath, path: Buffer): Promise<void> {
  for (let end = path.lastIndexOf(SLASH); end > 0; end = path.lastIndexOf(SLASH, end - 1)) {
    await base.syncDirectory(path.subarray(0, end));
  }
  await base.syncDirectory(HERE);
}

export async function applyMode(base: Beneath, path: Buffer, mode: number): Promise<void> {
  if (mode !== VFOLDER_MODE) await base.chmodDirectory(path, mode);
}
