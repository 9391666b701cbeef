import { calls } from '../../../native/calls.js';
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../../../native/constants.js';
import { Errno, SystemError } from '../../../native/errno.js';
import type { FileAttributes } from '../../../native/file-attributes.js';

/** How directories are opened here; O_PATH would not do for their attributes. */
export const READABLE = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC;
/**
 * Stricter than for requests of tenants: no part of the way to a scope or vfolder is a link, and whoever
 * can put one there must not have root work elsewhere. Below a mount point another filesystem would be asked.
 */
export const STRICT =
  RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
const HERE = Buffer.from('.');
const SLASH = 0x2f;
const LISTING_BYTES = 32 * 1024;

/** A directory of a volume held open, and which project it belongs to. */
export class ProjectDirectory {
  private constructor(
    /** Open for reading. */
    readonly fd: number,
    readonly attributes: FileAttributes,
    /** What the directory above is charged to. */
    private readonly parentProjectId: number,
  ) {}

  /** Opens what `path` leads to below the mount path. Rejects with SystemError, EINVAL for the mount path itself. */
  static async open(mountPath: string, path: Buffer): Promise<ProjectDirectory> {
    const root = await calls.openat(AT_FDCWD, Buffer.from(mountPath), READABLE);
    const opened = [root];
    try {
      const cut = path.lastIndexOf(SLASH);
      if (path.length === 0 || path.equals(HERE)) throw new SystemError(Errno.EINVAL, 'path');
      const parent = cut < 0 ? root : await openStrictly(root, path.subarray(0, cut));
      if (parent !== root) opened.push(parent);
      const { projectId } = await calls.fileAttributes(parent);
      const fd = await openStrictly(root, path);
      try {
        return new ProjectDirectory(fd, await calls.fileAttributes(fd), projectId);
      } catch (error) {
        await calls.close(fd);
        throw error;
      }
    } finally {
      for (const fd of opened) await calls.close(fd);
    }
  }

  /** The id of the project that this directory is the root of; `null` when it is none, or part of the one above. */
  get projectId(): number | null {
    const { projectId, inheritsProject } = this.attributes;
    const isRoot = inheritsProject && projectId !== 0 && projectId !== this.parentProjectId;
    return isRoot ? projectId : null;
  }

  async isEmpty(): Promise<boolean> {
    const { entries } = await calls.getdents(this.fd, Buffer.alloc(LISTING_BYTES));
    return entries.length === 0;
  }

  close(): Promise<void> {
    return calls.close(this.fd);
  }
}

/** Runs `work` with the directory open. */
export async function withProjectDirectory<T>(
  mountPath: string,
  path: Buffer,
  work: (directory: ProjectDirectory) => Promise<T>,
): Promise<T> {
  const directory = await ProjectDirectory.open(mountPath, path);
  try {
    return await work(directory);
  } finally {
    await directory.close();
  }
}

function openStrictly(root: number, path: Buffer): Promise<number> {
  return calls.openat2(root, path, READABLE | O_NOFOLLOW, 0, STRICT);
}
