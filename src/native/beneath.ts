import { openAtOnce, statAtOnce } from './at-once.js';
import { calls, sync } from './calls.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TENANT,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from './constants.js';
import { Errno, isErrno, SystemError } from './errno.js';
import { OpenFile } from './open-file.js';
import { renameExclusively } from './rename-exclusively.js';
import { refuseOpenedReserved, refuseReserved } from './reserved-names.js';
import { isDirectory, isRegularFile, type Stat } from './stat.js';

const HERE = Buffer.from('.');
const EMPTY = Buffer.alloc(0);
const SLASH = 0x2f;
const DIRECTORY = O_PATH | O_DIRECTORY | O_CLOEXEC;
const CONFINED = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;

export interface OpenFileOptions {
  /** Open for reading and writing. */
  readonly write?: boolean;
  /** `exclusive` fails with EEXIST when the name is taken, by a link too; `if-missing` creates at most. */
  readonly create?: 'exclusive' | 'if-missing';
  /** Permission bits of a created file, before the umask. */
  readonly mode?: number;
  /** Whether a final symlink that stays inside is followed; false by default, and never when creating. */
  readonly follow?: boolean;
  /** Every write is on stable storage when it returns (O_DSYNC). */
  readonly durable?: boolean;
}

/**
 * A directory held open, and the only way to reach what lies below it. Tenants write into vfolders while
 * we work, so every name there is hostile: a path that was checked may be a symlink by the time it is used.
 * Here nothing is checked first: the kernel resolves each path beneath the descriptor (openat2(2) with
 * RESOLVE_BENEATH) and refuses, with EXDEV, whatever would leave it. Symlinks that stay inside work.
 *
 * Paths are bytes relative to the directory, `/` between components; `.` is the directory itself. Normalise
 * `..` away before (openat2 refuses one that leaves, but a racing rename can make it fail for a moment).
 * All methods reject with SystemError.
 */
export class Beneath {
  #closed = false;

  private constructor(
    /** O_PATH: good for `*at` calls, not for reading or locking. */
    readonly fd: number,
    private readonly reserved: readonly Buffer[],
    private readonly resolve = CONFINED,
    /** Whether this thread may ask for what the kernel has in memory, see at-once.ts. */
    private readonly atOnce = false,
  ) {}

  /**
   * Opens a directory that the operator named; links in its own path are followed. No path below leads through
   * one of the `reserved` names, by a link neither: that fails with EXDEV, like a path that leads out. With
   * `atOnce`, which needs a filesystem that `canAnswerAtOnce`, what is in memory is not asked for on the pool.
   */
  static async open(
    path: string | Buffer,
    reserved: readonly Buffer[] = [],
    { atOnce = false } = {},
  ): Promise<Beneath> {
    const cached = atOnce ? Beneath.openAtOnce(path, reserved) : undefined;
    if (cached) return cached;
    const fd = await calls.openat2(AT_FDCWD, Buffer.from(path), DIRECTORY);
    return new Beneath(fd, reserved, CONFINED, atOnce);
  }

  /** `open` with `atOnce` where nothing has to be waited for; undefined where `open` has to find out. */
  static openAtOnce(path: string | Buffer, reserved: readonly Buffer[] = []): Beneath | undefined {
    const fd = openAtOnce(AT_FDCWD, Buffer.from(path), DIRECTORY, 0);
    return fd === undefined ? undefined : new Beneath(fd, reserved, CONFINED, true);
  }

  /** The same, but a link on the way below is refused with ELOOP even when it stays inside. */
  static async openWithoutLinks(path: string | Buffer): Promise<Beneath> {
    const root = await Beneath.open(path);
    return new Beneath(root.fd, [], CONFINED | RESOLVE_NO_SYMLINKS);
  }

  /** The directory itself. */
  stat(): Promise<Stat> {
    return this.#statOf(this.fd);
  }

  /** `stat` where nothing has to be waited for. */
  statAtOnce(): Stat | undefined {
    return this.atOnce ? statAtOnce(this.fd) : undefined;
  }

  /** Opens a directory below as a root of its own. */
  async descend(path: Buffer): Promise<Beneath> {
    return this.#below(await this.#open(path, DIRECTORY));
  }

  /** `descend` where nothing has to be waited for; undefined where `descend` has to find out, or say why not. */
  descendAtOnce(path: Buffer): Beneath | undefined {
    const fd = this.#openAtOnce(path, DIRECTORY);
    return fd === undefined ? undefined : this.#below(fd);
  }

  /** Opens a regular file. Anything else that has the name fails: EISDIR for a directory, EINVAL for the rest. */
  async openFile(path: Buffer, options: OpenFileOptions = {}): Promise<OpenFile> {
    const mode = options.create ? (options.mode ?? 0o666) : 0;
    const fd = await this.#open(path, openFlags(options), mode);
    try {
      const stat = await this.#statOf(fd);
      if (isDirectory(stat)) throw new SystemError(Errno.EISDIR, 'openat2');
      if (!isRegularFile(stat)) throw new SystemError(Errno.EINVAL, 'openat2');
      return new OpenFile(fd, stat, { atOnce: this.atOnce });
    } catch (error) {
      await calls.close(fd);
      throw error;
    }
  }

  /** `openFile` where nothing has to be waited for; undefined where `openFile` has to find out, or say why not. */
  openFileAtOnce(path: Buffer, options: OpenFileOptions = {}): OpenFile | undefined {
    const fd = this.#openAtOnce(path, openFlags(options));
    if (fd === undefined) return undefined;
    const stat = statAtOnce(fd);
    if (stat !== undefined && isRegularFile(stat)) return new OpenFile(fd, stat, { atOnce: true });
    closeAnchor(fd);
    return undefined;
  }

  /**
   * Runs `work` on the directory that holds the last component, with that component as bytes. The
   * directory is opened once, so a rename of it in the meantime does not lead `work` elsewhere.
   */
  async within<Result>(
    path: Buffer,
    work: (dirfd: number, name: Buffer) => Promise<Result>,
  ): Promise<Result> {
    const cut = path.lastIndexOf(SLASH);
    const name = path.subarray(cut + 1);
    if (name.length === 0 || name.equals(HERE)) throw new SystemError(Errno.EINVAL, 'path');
    refuseReserved(name, this.reserved);
    if (cut < 0) return work(this.fd, name);
    const parent = await this.descend(path.subarray(0, cut));
    try {
      return await work(parent.fd, name);
    } finally {
      parent.close();
    }
  }

  /** The entry itself; a symlink is not followed. */
  async lstat(path: Buffer): Promise<Stat> {
    if (path.equals(HERE)) return this.stat();
    if (this.atOnce) return this.#lstatAnchored(path);
    return this.within(path, (dirfd, name) => calls.statx(dirfd, name, AT_SYMLINK_NOFOLLOW));
  }

  /** What the path leads to, links that stay inside followed. */
  async followedStat(path: Buffer): Promise<Stat> {
    const fd = await this.#open(path, O_PATH | O_CLOEXEC);
    try {
      return await this.#statOf(fd);
    } finally {
      closeAnchor(fd);
    }
  }

  /** Absolute path on this host of what the path leads to, links that stay inside followed. */
  async realPath(path: Buffer = HERE): Promise<Buffer> {
    const fd = await this.#open(path, O_PATH | O_CLOEXEC);
    try {
      return await calls.readlinkat(AT_FDCWD, Buffer.from(`/proc/self/fd/${fd}`));
    } finally {
      closeAnchor(fd);
    }
  }

  async readlink(path: Buffer): Promise<Buffer> {
    return this.within(path, (dirfd, name) => calls.readlinkat(dirfd, name));
  }

  async mkdir(path: Buffer, mode: number): Promise<void> {
    await this.within(path, (dirfd, name) => calls.mkdirat(dirfd, name, mode));
  }

  /** Makes the missing parents, then the directory; EEXIST when the last one is there already. */
  async mkdirs(path: Buffer, mode: number, parentMode: number): Promise<void> {
    try {
      await this.mkdir(path, mode);
    } catch (error) {
      const cut = path.lastIndexOf(SLASH);
      if (cut < 0 || !isErrno(error, Errno.ENOENT)) throw error;
      await this.mkdirs(path.subarray(0, cut), parentMode, parentMode).catch(ignoreExisting);
      await this.mkdir(path, mode);
    }
  }

  /** Sets the permission bits of a directory exactly, whatever the umask is. */
  async chmodDirectory(path: Buffer, mode: number): Promise<void> {
    const directory = await this.descend(path);
    try {
      await calls.fchmodat(directory.fd, HERE, mode);
    } finally {
      directory.close();
    }
  }

  /** Gives the entry, a link itself, to another user and group. The kernel takes set-id bits away from a file. */
  async chown(path: Buffer, uid: number, gid: number): Promise<void> {
    await this.within(path, (dirfd, name) =>
      calls.fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW),
    );
  }

  /** rename(2) of the entry itself, within this directory. With `noReplace`, EEXIST when the name is taken. */
  async rename(from: Buffer, to: Buffer, options: { noReplace?: boolean } = {}): Promise<void> {
    await this.renameTo(this, from, to, options);
  }

  /**
   * The same, into another root on the same filesystem. CephFS and NFS have no RENAME_NOREPLACE; there an empty
   * entry of ours takes the name first, and the rename replaces that.
   */
  async renameTo(
    target: Beneath,
    from: Buffer,
    to: Buffer,
    options: { noReplace?: boolean } = {},
  ): Promise<void> {
    const rename = options.noReplace ? renameExclusively : calls.renameat2;
    await this.within(from, (fromDir, fromName) =>
      target.within(to, (toDir, toName) => rename(fromDir, fromName, toDir, toName)),
    );
  }

  /** A second name for a file, in `target`; EEXIST when the name is taken. A symlink is linked itself. */
  async linkTo(target: Beneath, from: Buffer, to: Buffer): Promise<void> {
    await this.within(from, (fromDir, fromName) =>
      target.within(to, (toDir, toName) => calls.linkat(fromDir, fromName, toDir, toName)),
    );
  }

  /** Removes a file or a link itself; EISDIR for a directory. */
  async unlink(path: Buffer): Promise<void> {
    await this.within(path, (dirfd, name) => calls.unlinkat(dirfd, name));
  }

  /** Removes an empty directory. */
  async rmdir(path: Buffer): Promise<void> {
    await this.within(path, (dirfd, name) => calls.unlinkat(dirfd, name, AT_REMOVEDIR));
  }

  /** Runs `work` on the directory at `path`, opened for reading: for calls that an O_PATH descriptor does not take. */
  async reading<Result>(path: Buffer, work: (fd: number) => Promise<Result>): Promise<Result> {
    const fd = await this.#open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    try {
      return await work(fd);
    } finally {
      if (this.atOnce) closeAnchor(fd);
      else await calls.close(fd);
    }
  }

  /** Makes the names in the directory at `path` durable (fsync(2) of a directory). */
  async syncDirectory(path: Buffer = HERE): Promise<void> {
    await this.reading(path, calls.fsync);
  }

  /** May be called again. Closing an O_PATH descriptor sends nothing to the filesystem, so it does not block. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeAnchor(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** `lstat` by way of a descriptor, which the kernel can often give at once. */
  async #lstatAnchored(path: Buffer): Promise<Stat> {
    const fd = await this.#open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    try {
      return await this.#statOf(fd);
    } finally {
      closeAnchor(fd);
    }
  }

  /** Of something open: a local filesystem has that in memory. */
  async #statOf(fd: number): Promise<Stat> {
    const known = this.atOnce ? statAtOnce(fd) : undefined;
    return known ?? (await calls.statx(fd, EMPTY, AT_EMPTY_PATH));
  }

  #openAtOnce(path: Buffer, flags: number): number | undefined {
    // Only filesystems that ask servers have names to look out for.
    const mayAsk = this.atOnce && this.reserved.length === 0 && (flags & O_CREAT) === 0;
    // What is mounted further below may be no local filesystem, and take its time to open something.
    const here = this.resolve | RESOLVE_NO_XDEV;
    return mayAsk ? openAtOnce(this.fd, path, flags, here) : undefined;
  }

  #below(fd: number): Beneath {
    return new Beneath(fd, this.reserved, this.resolve, this.atOnce);
  }

  async #open(path: Buffer, flags: number, mode = 0): Promise<number> {
    const cached = this.#openAtOnce(path, flags);
    if (cached !== undefined) return cached;
    refuseReserved(path, this.reserved);
    const fd = await calls.openat2(this.fd, path, flags, mode, this.resolve);
    try {
      refuseOpenedReserved(fd, this.reserved);
      return fd;
    } catch (error) {
      closeAnchor(fd);
      throw error;
    }
  }
}

function openFlags({ write, create, follow, durable }: OpenFileOptions): number {
  let flags = O_TENANT | (write ? O_RDWR : O_RDONLY);
  if (durable) flags |= O_DSYNC;
  // O_CREAT follows a final link and would create what a dangling one points to.
  if (!follow || create) flags |= O_NOFOLLOW;
  if (create) flags |= O_CREAT;
  if (create === 'exclusive') flags |= O_EXCL;
  return flags;
}

function closeAnchor(fd: number): void {
  sync.close(fd);
}

function ignoreExisting(error: unknown): void {
  if (!isErrno(error, Errno.EEXIST)) throw error;
}

/** Rejects, saying why, on a kernel or under a filter that does not allow openat2 with RESOLVE_BENEATH (Linux 5.6). */
export async function assertConfinementWorks(): Promise<void> {
  try {
    const root = await Beneath.open('/');
    try {
      (await root.descend(HERE)).close();
    } finally {
      root.close();
    }
  } catch (error) {
    const reason = isErrno(error, Errno.ENOSYS)
      ? 'this kernel has no openat2 system call: Linux 5.6 or later is needed'
      : isErrno(error, Errno.EPERM)
        ? 'a seccomp filter forbids the openat2 system call: update the container runtime or its profile'
        : 'openat2 failed';
    throw new Error(`Paths cannot be confined to their vfolder: ${reason}`, { cause: error });
  }
}
