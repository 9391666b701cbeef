import { sync } from '../../../native/calls.js';
import { AT_EMPTY_PATH, AT_FDCWD, O_NOFOLLOW } from '../../../native/constants.js';
import type { DiskQuota } from '../../../native/disk-quota.js';
import { Errno, SystemError } from '../../../native/errno.js';
import { MAX_PROJECT_ID } from '../../../native/file-attributes.js';
import { readMounts } from '../../../native/mounts.js';
import { READABLE, STRICT } from '../projects/project-directory.js';
import { applyLimits } from '../projects/project-limits.js';

const EMPTY = Buffer.alloc(0);
const UNLIMITED = { hardBytes: null, softBytes: null, hardInodes: null, softInodes: null } as const;

/** A mounted volume as a command sees it: synchronous, nothing stays open. Throws SystemError. */
export class VolumeAccess {
  constructor(private readonly mountPath: string) {}

  /**
   * The directory at `path` below the mount path, for reading; the caller closes it. ENOENT for one that does not carry
   * `projectId` any more: another directory has its name.
   */
  open(path: string, projectId?: number): number {
    const mount = sync.openat(AT_FDCWD, Buffer.from(this.mountPath), READABLE);
    if (path === '') return mount;
    let fd: number;
    try {
      fd = sync.openat2(mount, Buffer.from(path), READABLE | O_NOFOLLOW, 0, STRICT);
    } finally {
      sync.close(mount);
    }
    if (projectId === undefined || sync.fileAttributes(fd).projectId === projectId) return fd;
    sync.close(fd);
    throw new SystemError(Errno.ENOENT, 'ioctl');
  }

  /** Every quota record of the filesystem, by project id. */
  records(): Map<number, DiskQuota> {
    return this.#with('', (fd) => {
      const records = new Map<number, DiskQuota>();
      for (let id = 0; id <= MAX_PROJECT_ID;) {
        const record = sync.nextProjectQuota(fd, id);
        if (record === null) break;
        records.set(record.projectId, record);
        id = record.projectId + 1;
      }
      return records;
    });
  }

  get blockBytes(): number {
    return this.#with('', (fd) => sync.fstatvfs(fd).fragmentBytes);
  }

  /** Tells filesystems apart. */
  get dev(): bigint {
    return this.#with('', (fd) => sync.statx(fd, EMPTY, AT_EMPTY_PATH).dev);
  }

  /** Whether the volume is all of its filesystem, as far as this process can see. */
  get isWholeFilesystem(): boolean {
    const { dev } = this;
    return readMounts().some(
      (mount) => mount.dev === dev && mount.root === '/' && mount.mountPoint === this.mountPath,
    );
  }

  /** The quota record of one project as it is now. */
  record(projectId: number): DiskQuota | null {
    return this.#with('', (fd) => sync.projectQuota(fd, projectId));
  }

  /** Charges one directory, and nothing below it, to the project. */
  charge(path: string, projectId: number): void {
    this.#with(path, (fd) => {
      sync.setProject(fd, sync.fileAttributes(fd), projectId, projectId !== 0);
    });
  }

  /** The limit that was asked for, where it is not the one in force. As ever, a soft one above it would undo it. */
  limit(path: string, projectId: number, hardBytes: number): Promise<void> {
    const fd = this.open(path);
    return applyLimits(fd, projectId, { hardBytes }).finally(() => sync.close(fd));
  }

  removeLimits(projectId: number): void {
    this.#with('', (fd) => sync.setProjectLimits(fd, projectId, UNLIMITED));
  }

  #with<T>(path: string, work: (fd: number) => T): T {
    const fd = this.open(path);
    try {
      return work(fd);
    } finally {
      sync.close(fd);
    }
  }
}
