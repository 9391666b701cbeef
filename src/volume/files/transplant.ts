import { randomUUID } from 'node:crypto';
import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { AT_SYMLINK_NOFOLLOW } from '../../native/constants.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory, isRegularFile, isSymlink, type Stat } from '../../native/stat.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';

const PERMISSIONS = 0o7777;
/** What the copy is made with; the real modes come last, or a read-only directory could not be filled. */
const WORKING_MODE = 0o700;

export interface Transplant {
  readonly volume: Volume;
  readonly vfolder: Beneath;
  readonly ref: VFolderRef;
  readonly from: RelPath;
  readonly to: RelPath;
  /** Whether what has the name already makes way; not for an entry moved into a directory. */
  readonly replace: boolean;
}

/**
 * A move that rename(2) refuses with EXDEV: a border of quotas runs through the vfolder. The entry is copied
 * beside its destination, renamed into place when it is whole, and only then removed where it was. Every
 * open is confined to the vfolder, other than in `TreeOperations.copy`, which is confined to the volume.
 *
 * @throws StorageError UNSUPPORTED when something cannot be copied (special files): nothing has changed then
 */
export async function transplant(move: Transplant): Promise<void> {
  const { volume, vfolder, ref, from, to, replace } = move;
  const { trees } = volume.strategies;
  const location = volume.locate(ref.id);
  const copy = to.parent().join(Buffer.from(`.moving-${randomUUID()}`));
  try {
    await copyTree(move, copy);
    if (replace) await vfolder.rename(copy.toBytes(), to.toBytes());
    else await vfolder.rename(copy.toBytes(), to.toBytes(), { noReplace: true });
  } catch (error) {
    await trees.removeEntry(location, copy.toBytes());
    throw error;
  }
  await trees.removeEntry(location, from.toBytes());
}

async function copyTree({ volume, vfolder, ref, from }: Transplant, to: RelPath): Promise<void> {
  const top = await copyEntry(vfolder, from, to);
  if (!isDirectory(top)) return;
  const directories: [RelPath, Stat][] = [[to, top]];
  const { trees } = volume.strategies;
  const location = volume.locate(ref.id);
  let copied = 0;
  for await (const batch of trees.scan(location, from.toBytes())) {
    for (const { path } of batch) {
      const target = below(to, path);
      const stat = await copyEntry(vfolder, below(from, path), target);
      if (isDirectory(stat)) directories.push([target, stat]);
      copied += 1;
    }
  }
  // A scan passes over special files, which would be lost with the source.
  const source = { path: Buffer.concat([location.path, Buffer.from('/'), from.toBytes()]) };
  if ((await trees.usage(source, { exact: true })).fileCount !== copied) throw notCopied();
  for (const [path, stat] of directories.toReversed()) await finish(vfolder, path, stat);
}

async function copyEntry(vfolder: Beneath, from: RelPath, to: RelPath): Promise<Stat> {
  const stat = await vfolder.lstat(from.toBytes());
  if (isDirectory(stat)) {
    if ((stat.mode & 0o500) !== 0o500 && process.geteuid?.() !== 0) throw notCopied();
    await vfolder.mkdir(to.toBytes(), WORKING_MODE);
  } else if (isSymlink(stat)) {
    const target = await vfolder.readlink(from.toBytes());
    await vfolder.within(to.toBytes(), (dirfd, name) => calls.symlinkat(target, dirfd, name));
    await setTimes(vfolder, to, stat);
  } else if (isRegularFile(stat)) {
    await copyFile(vfolder, from, to);
    await finish(vfolder, to, stat);
  } else {
    throw notCopied();
  }
  return stat;
}

async function copyFile(vfolder: Beneath, from: RelPath, to: RelPath): Promise<void> {
  await using source = await vfolder.openFile(from.toBytes());
  await using target = await vfolder.openFile(to.toBytes(), {
    write: true,
    create: 'exclusive',
    mode: WORKING_MODE,
  });
  await source.copyTo(target);
  await calls.fchmod(target.fd, source.stat.mode & PERMISSIONS);
  await target.sync();
}

async function finish(vfolder: Beneath, path: RelPath, stat: Stat): Promise<void> {
  if (isDirectory(stat)) await vfolder.chmodDirectory(path.toBytes(), stat.mode & PERMISSIONS);
  await setTimes(vfolder, path, stat);
}

async function setTimes(vfolder: Beneath, path: RelPath, stat: Stat): Promise<void> {
  try {
    await vfolder.within(path.toBytes(), (dirfd, name) =>
      calls.utimensat(dirfd, name, stat.atimeNs, stat.mtimeNs, AT_SYMLINK_NOFOLLOW),
    );
  } catch (error) {
    if (!isErrno(error, Errno.EPERM, Errno.EOPNOTSUPP)) throw error;
  }
}

/** `path` comes from a scan: components without `.` or `..`. */
function below(base: RelPath, path: Buffer): RelPath {
  let at = base;
  for (let start = 0; start <= path.length;) {
    const cut = path.indexOf(0x2f, start);
    const end = cut < 0 ? path.length : cut;
    at = at.join(path.subarray(start, end));
    start = end + 1;
  }
  return at;
}

function notCopied(): StorageError {
  return new StorageError(
    'UNSUPPORTED',
    'a border of quotas lies between the paths, and not everything can be copied across it',
    { subject: 'entry' },
  );
}
