import { readdir } from 'node:fs/promises';
import type { Entry, EntryType } from '../../backend/contract/entry.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory, isSymlink, type Stat } from '../../native/stat.js';

/** st_size of directories that are read here, in bytes: two blocks of ext4, some hundred names elsewhere. */
const SMALL_DIRECTORY_BYTES = 8 * 1024;
/** Beyond it a tree thread, which does not hold up this one, is the better place. */
const MOST_ENTRIES = 64;

/**
 * All entries of a small directory. A tree thread would need fewer calls, but being asked and answering costs it more
 * than those. `vfolder` has to be one that answers at once: then only the names are read on the pool, and nothing here
 * waits (see native/at-once.ts).
 *
 * @param hidden names left out
 * @returns undefined for a directory that is not small, or cannot be read this way: `TreeOperations.list` finds out why
 */
export async function listSmallDirectory(
  vfolder: Beneath,
  path: Buffer,
  hidden: readonly Buffer[],
): Promise<Entry[] | undefined> {
  try {
    using directory = await vfolder.descend(path);
    const { size } = await directory.stat();
    if (size > SMALL_DIRECTORY_BYTES) return undefined;
    const all = await readdir(`/proc/self/fd/${directory.fd}`, { encoding: 'buffer' });
    const names = all.filter((name) => !hidden.some((each) => each.equals(name)));
    if (names.length > MOST_ENTRIES) return undefined;
    const reading = names.map((name) => entryOf(directory, name));
    // The directory may not be closed under those that still read in it.
    await Promise.allSettled(reading);
    const entries = await Promise.all(reading);
    return entries.filter((entry) => entry !== undefined);
  } catch {
    return undefined;
  }
}

/** Undefined for an entry that has vanished since its name was read, or is no link any more. */
async function entryOf(directory: Beneath, name: Buffer): Promise<Entry | undefined> {
  try {
    const stat = await directory.lstat(name);
    return {
      name,
      type: typeOf(stat),
      mode: stat.mode,
      sizeBytes: stat.size,
      ctimeNs: stat.ctimeNs,
      mtimeNs: stat.mtimeNs,
      ...(isSymlink(stat) && { target: await directory.readlink(name) }),
    };
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.EINVAL)) return undefined;
    throw error;
  }
}

function typeOf(stat: Stat): EntryType {
  if (isSymlink(stat)) return 'SYMLINK';
  return isDirectory(stat) ? 'DIRECTORY' : 'FILE';
}
