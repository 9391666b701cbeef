import { readdir } from 'node:fs/promises';
import { Beneath } from '../../../native/beneath.js';
import { calls, sync } from '../../../native/calls.js';
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_PATH } from '../../../native/constants.js';
import { Errno, isErrno } from '../../../native/errno.js';
import { isDirectory, type Stat } from '../../../native/stat.js';
import type { TreeLocation } from '../../contract/tree-task.js';
import { OPEN_DIRECTORY } from '../../posix/descent.js';

const EMPTY = Buffer.alloc(0);

/** A directory that is held open for a program to work in. */
export interface Anchor extends Disposable {
  /** O_PATH. */
  readonly fd: number;
  readonly stat: Stat;
}

/** Opens what programs work on: always beneath the mount path, by descriptor, as the plain walks do. */
export class Anchors {
  constructor(
    private readonly volumePath: string,
    private readonly reservedNames: readonly Buffer[],
  ) {}

  /** The directory at `path` below `root`; links on the way are followed while they stay inside `root`. */
  async open(root: TreeLocation, path?: Buffer): Promise<Anchor> {
    using mount = await Beneath.open(this.volumePath, this.reservedNames);
    const top = await mount.descend(root.path);
    if (path === undefined) return anchorOf(top);
    try {
      return await anchorOf(await top.descend(path));
    } finally {
      top.close();
    }
  }

  /**
   * What stands at `path` below `root`, if that is a directory and no link to one; undefined for everything else, a
   * missing entry among it.
   */
  async openEntry(root: TreeLocation, path: Buffer): Promise<Anchor | undefined> {
    using mount = await Beneath.open(this.volumePath, this.reservedNames);
    using top = await mount.descend(root.path);
    return await top.within(path, openDirectory);
  }

  /** Whether the directory lists one of the names: some servers answer for such a name and do not list it. */
  async shows({ fd }: Anchor, names: readonly Buffer[]): Promise<boolean> {
    const found = await Promise.all(names.map((name) => exists(fd, name)));
    if (!found.includes(true)) return false;
    const listed = await readdir(`/proc/self/fd/${fd}`, { encoding: 'buffer' });
    return listed.some((name) => names.some((each) => each.equals(name)));
  }

  /** Makes the directory if it is missing, for its owner alone, and opens it; a link is not followed. */
  async make(location: TreeLocation): Promise<Anchor | undefined> {
    using mount = await Beneath.open(this.volumePath, this.reservedNames);
    return await mount.within(location.path, async (parent, name) => {
      try {
        await calls.mkdirat(parent, name, 0o700);
      } catch (error) {
        if (!isErrno(error, Errno.EEXIST)) throw error;
      }
      return await openDirectory(parent, name);
    });
  }
}

async function anchorOf(directory: Beneath): Promise<Anchor> {
  try {
    const stat = await directory.stat();
    return { fd: directory.fd, stat, [Symbol.dispose]: () => directory.close() };
  } catch (error) {
    directory.close();
    throw error;
  }
}

async function exists(directory: number, name: Buffer): Promise<boolean> {
  try {
    await calls.statx(directory, name, AT_SYMLINK_NOFOLLOW);
    return true;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return false;
    throw error;
  }
}

async function openDirectory(parent: number, name: Buffer): Promise<Anchor | undefined> {
  try {
    if (!isDirectory(await calls.statx(parent, name, AT_SYMLINK_NOFOLLOW))) return undefined;
    const fd = await calls.openat(parent, name, OPEN_DIRECTORY | O_PATH);
    const stat = await calls.statx(fd, EMPTY, AT_EMPTY_PATH);
    return { fd, stat, [Symbol.dispose]: () => sync.close(fd) };
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) return undefined;
    throw error;
  }
}
