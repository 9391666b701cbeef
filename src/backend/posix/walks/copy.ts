import { randomBytes } from 'node:crypto';
import { sync } from '../../../native/calls.js';
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from '../../../native/constants.js';
import { DT_DIR, DT_LNK, DT_REG, DT_UNKNOWN } from '../../../native/dirent.js';
import { DirectoryReader } from '../../../native/directory-reader.js';
import { Errno, isErrno, SystemError } from '../../../native/errno.js';
import {
  isDirectory,
  isRegularFile,
  isSameInode,
  isSymlink,
  type Stat,
} from '../../../native/stat.js';
import { Descent, OPEN_DIRECTORY } from '../descent.js';
import { enterMakingAccessible, makeAccessible } from '../permissions.js';
import type { Pace, Walk } from '../walk.js';
import { createTarget, FileContent, openSource } from './copy-file.js';

const EMPTY = Buffer.alloc(0);
const HERE = Buffer.from('.');
const PERMISSIONS = 0o7777;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
/** A directory while it is filled: nobody else's until it has the mode of its source. */
const FILLING_MODE = 0o700;

/** Files that are not whole yet; leftovers of a copy that was killed are removed by the next one. */
const PARTIAL = /^\.storage-proxy-[0-9a-f]{32}\.partial$/;

export interface CopyPlan {
  /** Opened for reading; taken over. */
  readonly source: number;
  /** The directory that holds, or will hold, the destination; taken over. */
  readonly destinationParent: number;
  readonly destinationName: Buffer;
  readonly omit: readonly Buffer[];
  /** Called for each file, before it gets its name; with `sync` at the end as well. */
  readonly syncFiles: boolean;
  readonly syncFilesystem: boolean;
}

/** A directory of the destination while its content is copied. */
interface Filling {
  /** Of its source. */
  readonly stat: Stat;
  /** False when it was there before, so that some of its content may be. */
  readonly isNew: boolean;
}

/** Copies one tree into another as `TreeOperations.copy` promises. */
export function* copy(plan: CopyPlan, pace: Pace): Walk<void> {
  const source = new Descent<undefined>(plan.source, undefined, pace.hidden);
  let destination: Descent<Filling> | undefined;
  try {
    const stat = sync.statx(plan.source, EMPTY, AT_EMPTY_PATH);
    const parent = new Descent<Filling>(plan.destinationParent, { stat, isNew: false });
    destination = parent;
    yield* new TreeCopy(source, destination, plan, pace).run(stat);
  } finally {
    source.close();
    if (destination) destination.close();
    else sync.close(plan.destinationParent);
  }
}

/** The destination is always one level deeper than the source: its top is its parent. */
class TreeCopy {
  readonly #content: FileContent;
  readonly #partial = Buffer.from(`.storage-proxy-${randomBytes(16).toString('hex')}.partial`);
  readonly #ownUser = process.geteuid!();
  readonly #ownGroup = process.getegid!();
  #destinationTop: Stat | undefined;

  constructor(
    private readonly source: Descent<undefined>,
    private readonly destination: Descent<Filling>,
    private readonly plan: CopyPlan,
    private readonly pace: Pace,
  ) {
    this.#content = new FileContent(pace);
  }

  *run(stat: Stat): Walk<void> {
    const { source, destination } = this;
    yield* this.#makeDirectory(this.plan.destinationName, stat);
    this.#destinationTop = sync.statx(destination.here.fd, EMPTY, AT_EMPTY_PATH);
    for (;;) {
      if (source.next()) yield* this.#copyEntry();
      else if (source.depth === 0) break;
      else {
        source.leave();
        this.#leaveTo(source.depth + 1);
      }
      if (this.pace.step()) yield;
    }
    this.#finishDirectory();
    if (this.plan.syncFilesystem) sync.syncfs(destination.here.fd);
  }

  *#copyEntry(): Walk<void> {
    const { entry, depth } = this.source;
    const name = entry.name();
    if (depth === 0 && this.plan.omit.some((omitted) => omitted.equals(name))) return;
    const type = entry.type === DT_UNKNOWN ? this.#typeOf(name) : entry.type;
    if (type === DT_REG) yield* this.#copyFile(name);
    else if (type === DT_DIR) yield* this.#copyDirectory(name);
    else if (type === DT_LNK) this.#copyLink(name);
  }

  #typeOf(name: Buffer): number {
    const stat = this.#present(() => sync.statx(this.source.here.fd, name, AT_SYMLINK_NOFOLLOW));
    if (stat === undefined) return DT_UNKNOWN;
    if (isDirectory(stat)) return DT_DIR;
    if (isSymlink(stat)) return DT_LNK;
    return isRegularFile(stat) ? DT_REG : DT_UNKNOWN;
  }

  *#copyDirectory(name: Buffer): Walk<void> {
    const { source } = this;
    if (!this.#present(() => (source.enter(name, undefined), true))) return;
    const stat = sync.statx(source.here.fd, EMPTY, AT_EMPTY_PATH);
    if (isSameInode(stat, this.#destinationTop!)) {
      // The destination lies within the source: without end otherwise.
      source.leave();
      return;
    }
    this.pace.count(0);
    yield* this.#makeDirectory(name, stat);
  }

  /** Makes or finds the directory in the destination, and goes into it. */
  *#makeDirectory(name: Buffer, stat: Stat): Walk<void> {
    const { destination } = this;
    let isNew = true;
    try {
      sync.mkdirat(destination.here.fd, name, FILLING_MODE);
    } catch (error) {
      if (!isErrno(error, Errno.EEXIST)) throw error;
      isNew = false;
    }
    enterMakingAccessible(destination, name, { stat, isNew });
    if (isNew) return;
    makeAccessible(destination.here.fd);
    yield* this.#removePartials();
  }

  /** Goes up in the destination until it is `depth` deep, finishing each directory that is left. */
  #leaveTo(depth: number): void {
    const { destination } = this;
    while (destination.depth > depth) {
      this.#finishDirectory();
      if (destination.leave() === undefined) throw new SystemError(Errno.ENOENT, 'openat');
    }
  }

  /** Mode and times last: making entries changes the times, and the mode may forbid to make any. */
  #finishDirectory(): void {
    const { fd, state } = this.destination.here;
    sync.futimens(fd, state.stat.atimeNs, state.stat.mtimeNs);
    sync.fchmod(fd, state.stat.mode & PERMISSIONS);
  }

  *#copyFile(name: Buffer): Walk<void> {
    if (this.#isDone(name)) {
      this.pace.count(0);
      return;
    }
    const file = this.#present(() => openSource(this.source.here.fd, name));
    if (file === undefined) return;
    try {
      const stat = sync.statx(file, EMPTY, AT_EMPTY_PATH);
      if (!isRegularFile(stat)) return;
      yield* this.#fillFile(file, name, stat);
      this.pace.count(0);
    } finally {
      sync.close(file);
    }
  }

  /** Whether an earlier run copied it: times are set only when the content is there. */
  #isDone(name: Buffer): boolean {
    const { fd, state } = this.destination.here;
    if (state.isNew) return false;
    const there = this.#present(() => sync.statx(fd, name, AT_SYMLINK_NOFOLLOW));
    if (there === undefined || !isRegularFile(there)) return false;
    const stat = this.#present(() => sync.statx(this.source.here.fd, name, AT_SYMLINK_NOFOLLOW));
    return (
      stat !== undefined &&
      isRegularFile(stat) &&
      there.size === stat.size &&
      there.mtimeNs === stat.mtimeNs
    );
  }

  /**
   * Fills a file under another name and renames it when it is whole. In a directory that this run has made,
   * which is closed to others until it is finished, it has its own name from the start: a rename costs as much
   * as all the rest of a small file.
   */
  *#fillFile(file: number, name: Buffer, stat: Stat): Walk<void> {
    const { fd, state } = this.destination.here;
    const inPlace = state.isNew ? createUnlessTaken(fd, name) : undefined;
    const target = inPlace ?? createTarget(fd, this.#partial);
    const fillingName = inPlace === undefined ? this.#partial : name;
    const own = sync.statx(target, EMPTY, AT_EMPTY_PATH);
    let isWhole = false;
    try {
      try {
        yield* this.#content.copy(file, target, stat);
        sync.fchmod(target, this.#modeOf(stat));
        sync.futimens(target, stat.atimeNs, stat.mtimeNs);
        if (this.plan.syncFiles) sync.fdatasync(target);
      } finally {
        sync.close(target);
      }
      if (fillingName !== name) sync.renameat2(fd, fillingName, fd, name);
      isWhole = true;
    } finally {
      if (!isWhole) this.#removeHalf(fd, fillingName, own);
    }
  }

  /** Unless somebody has put a file of his own under that name meanwhile. */
  #removeHalf(dirfd: number, name: Buffer, own: Stat): void {
    this.#present(() => {
      if (isSameInode(sync.statx(dirfd, name, AT_SYMLINK_NOFOLLOW), own))
        sync.unlinkat(dirfd, name);
    });
  }

  /** Set-id bits would give their power over us rather than over the owner they were for. */
  #modeOf({ mode, uid, gid }: Stat): number {
    let allowed = PERMISSIONS;
    if (uid !== this.#ownUser) allowed &= ~S_ISUID;
    if (gid !== this.#ownGroup) allowed &= ~S_ISGID;
    return mode & allowed;
  }

  #copyLink(name: Buffer): void {
    const from = this.source.here.fd;
    const { fd } = this.destination.here;
    const stat = this.#present(() => sync.statx(from, name, AT_SYMLINK_NOFOLLOW));
    const target = this.#present(() => sync.readlinkat(from, name));
    if (stat === undefined || target === undefined) return;
    try {
      sync.symlinkat(target, fd, name);
    } catch (error) {
      if (!isErrno(error, Errno.EEXIST)) throw error;
      if (!this.#present(() => sync.readlinkat(fd, name))?.equals(target)) {
        this.#replaceWithLink(fd, name, target);
      }
    }
    this.#present(() => sync.utimensat(fd, name, stat.atimeNs, stat.mtimeNs, AT_SYMLINK_NOFOLLOW));
    this.pace.count(0);
  }

  #replaceWithLink(fd: number, name: Buffer, target: Buffer): void {
    sync.symlinkat(target, fd, this.#partial);
    try {
      sync.renameat2(fd, this.#partial, fd, name);
    } catch (error) {
      this.#present(() => sync.unlinkat(fd, this.#partial));
      throw error;
    }
  }

  *#removePartials(): Walk<void> {
    const fd = sync.openat(this.destination.here.fd, HERE, OPEN_DIRECTORY);
    try {
      const reader = new DirectoryReader();
      reader.start(fd);
      while (reader.next()) {
        const name = reader.name();
        if (PARTIAL.test(name.toString('latin1'))) this.#present(() => sync.unlinkat(fd, name));
        if (this.pace.step()) yield;
      }
    } finally {
      sync.close(fd);
    }
  }

  /** Undefined when the entry has vanished or become something else, which is not an error. */
  #present<Result>(work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      if (isErrno(error, Errno.ENOTDIR, Errno.ELOOP, Errno.EINVAL)) return undefined;
      if (this.source.isRemoval(error)) return undefined;
      throw error;
    }
  }
}

function createUnlessTaken(dirfd: number, name: Buffer): number | undefined {
  try {
    return createTarget(dirfd, name);
  } catch (error) {
    if (isErrno(error, Errno.EEXIST)) return undefined;
    throw error;
  }
}
