import type { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { isDirectory, type Stat } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import type { Slot } from '../uploads/staged-file.js';
import type { Volume } from '../volume.js';
import { copyEntry, finishDirectory, notCopied } from './copy-entry.js';
import { Turns } from './turns.js';

/** What was copied is remembered until it has been removed: about as much memory as this process can spare for it. */
const MAX_ENTRIES = 1_000_000;
/** For that memory only so many trees are copied at once by this process; the others wait. */
const trees = new Turns(2);
const DIRENTS_BYTES = 64 * 1024;
const SLASH = Buffer.from('/');

export interface Copied {
  /** Below the entry that is moved; empty for itself. */
  readonly path: Buffer;
  readonly stat: Pick<Stat, 'ino' | 'size' | 'atimeNs' | 'mtimeNs' | 'mode'>;
}

interface Walk {
  readonly volume: Volume;
  readonly vfolder: Beneath;
  readonly slot: Slot;
}

/**
 * Copies an entry with all that is in it; see `copyEntry`. What comes back has each directory before what is in it.
 *
 * @throws StorageError UNSUPPORTED when something cannot be copied as it is, or there is too much
 */
export async function copyTree(walk: Walk, from: RelPath, to: RelPath): Promise<readonly Copied[]> {
  const { vfolder, slot } = walk;
  const top = await copyEntry(vfolder, slot, from, to);
  const copied = [remembered(Buffer.alloc(0), top.stat)];
  if (isDirectory(top.stat)) {
    await trees.take(() => copyContent(walk, from, to, copied, top.madeIno));
  }
  return copied;
}

async function copyContent(
  { volume, vfolder, slot }: Walk,
  from: RelPath,
  to: RelPath,
  copied: Copied[],
  topIno: bigint,
): Promise<void> {
  const { reservedNames } = volume.strategies;
  const directories = [{ ...copied[0]!, madeIno: topIno }];
  // Grows while it is gone through: each directory comes after the one that it is in.
  for (const { path: directory } of directories) {
    const names = await slot(() => namesIn(vfolder, below(from, directory)));
    for (const name of names.filter((one) => !reservedNames.some((hidden) => hidden.equals(one)))) {
      if (copied.length >= MAX_ENTRIES) throw notCopied();
      const path = directory.length === 0 ? name : Buffer.concat([directory, SLASH, name]);
      const { stat, ...made } = await copyEntry(vfolder, slot, below(from, path), below(to, path));
      const one = remembered(path, stat);
      copied.push(one);
      if (isDirectory(stat)) directories.push({ ...one, ...made });
    }
  }
  for (const { path, stat, madeIno } of directories.toReversed()) {
    await slot(() => finishDirectory(vfolder, below(to, path), stat, madeIno));
  }
}

/** Special files too, which a scan of a tree passes over. */
async function namesIn(vfolder: Beneath, path: RelPath): Promise<Buffer[]> {
  return await vfolder.reading(path.toBytes(), async (fd) => {
    const buffer = Buffer.allocUnsafe(DIRENTS_BYTES);
    const names: Buffer[] = [];
    for (;;) {
      const { entries, end } = await calls.getdents(fd, buffer);
      if (end) return names;
      for (const { name } of entries) names.push(name);
      if (names.length > MAX_ENTRIES) throw notCopied();
    }
  });
}

function remembered(path: Buffer, stat: Copied['stat']): Copied {
  const { ino, size, atimeNs, mtimeNs, mode } = stat;
  return { path, stat: { ino, size, atimeNs, mtimeNs, mode } };
}

/** `path` comes from reading directories: components without `.` or `..`. */
export function below(base: RelPath, path: Buffer): RelPath {
  let at = base;
  for (let start = 0; start < path.length;) {
    const cut = path.indexOf(0x2f, start);
    const end = cut < 0 ? path.length : cut;
    at = at.join(path.subarray(start, end));
    start = end + 1;
  }
  return at;
}
