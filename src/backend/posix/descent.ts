import { sync } from '../../native/calls.js';
import {
  AT_EMPTY_PATH,
  AT_STATX_FORCE_SYNC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  O_TENANT,
  SEEK_SET,
} from '../../native/constants.js';
import { DirectoryReader } from '../../native/directory-reader.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isSameInode, type Stat } from '../../native/stat.js';

/** How a directory below is opened: never through a link, never blocking on what a tenant put in its place. */
export const OPEN_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_TENANT;

/** Descriptors one walk keeps open however deep it goes. */
const OPEN_LEVELS = 32;
const UP = Buffer.from('..');
const EMPTY = Buffer.alloc(0);
const CLOSED = -1;

/** One directory on the way from the top of a walk to where the walk is. */
export interface Level<State> {
  /** -1 while the level is suspended. */
  fd: number;
  /** Last component; empty for the top. */
  readonly name: Buffer;
  /** What the walk itself keeps for this directory. */
  readonly state: State;
  reader: DirectoryReader | undefined;
  /** Where to go on reading after a suspension. */
  offset: bigint;
  /** Known while the level is suspended. */
  identity: Pick<Stat, 'dev' | 'ino'> | undefined;
}

/**
 * The directories that a walk is in, from its top to the deepest, each opened from its parent's descriptor.
 *
 * A tree may be deeper than a process may have descriptors, and deeper than a path can be long. So only the
 * top and the deepest levels stay open: the others are suspended, remembered by inode and reading position,
 * and opened again as `..` of their child. A tenant may have moved the child meanwhile, so the inode decides
 * whether that is the same directory; if it is not, the way down is tried by names, and if that fails too
 * the directory counts as vanished. No path is ever put together.
 *
 * Synchronous: for worker threads. Owns every descriptor in it.
 */
export class Descent<State> {
  readonly #levels: Level<State>[];
  readonly #spareReaders: DirectoryReader[] = [];
  /** Levels from here on are open, and so is the top. */
  #firstOpen = 1;

  /** The directory the walk is in; always open. */
  here: Level<State>;

  /** Takes over `fd`, which was opened for reading. */
  constructor(
    fd: number,
    state: State,
    /** Names that are not entries here. */
    private readonly hidden: readonly Buffer[] = [],
  ) {
    this.here = level(fd, EMPTY, state);
    this.#levels = [this.here];
  }

  /** 0 in the top directory. */
  get depth(): number {
    return this.#levels.length - 1;
  }

  /** The reader of this directory, which `next` moves. */
  get entry(): DirectoryReader {
    return this.here.reader!;
  }

  /** Moves to the next entry of this directory: false when it has been read to its end, or removed. */
  next(): boolean {
    try {
      return (this.here.reader ?? this.#startReading(this.here)).next();
    } catch (error) {
      if (this.depth > 0 && this.isRemoval(error)) return false;
      throw error;
    }
  }

  /**
   * Whether a call in this directory failed because the entry, or the directory itself, was removed meanwhile. Where
   * that happens in the kernel it is ENOENT. NFS says ESTALE of a directory that the server has removed, but also
   * when the whole export is gone: then the top of the walk does not answer either.
   */
  isRemoval(error: unknown): boolean {
    if (isErrno(error, Errno.ENOENT)) return true;
    if (!isErrno(error, Errno.ESTALE)) return false;
    try {
      sync.statx(this.#levels[0]!.fd, EMPTY, AT_EMPTY_PATH | AT_STATX_FORCE_SYNC);
      return true;
    } catch {
      return false;
    }
  }

  /** Makes `next` begin again at this directory's first entry. */
  rewind(): void {
    const { here } = this;
    here.offset = 0n;
    if (here.reader) sync.lseek(here.fd, 0, SEEK_SET);
    here.reader?.start(here.fd);
  }

  /** Goes into a sub-directory of this one. Throws SystemError as openat(2) does, and the walk stays where it is. */
  enter(name: Buffer, state: State): void {
    this.adopt(sync.openat(this.here.fd, name, OPEN_DIRECTORY), name, state);
  }

  /** The same for a sub-directory that is open already; takes the descriptor over. */
  adopt(fd: number, name: Buffer, state: State): void {
    this.here = level(fd, name, state);
    this.#levels.push(this.here);
    if (this.#levels.length - this.#firstOpen > OPEN_LEVELS) {
      this.#suspend(this.#levels[this.#firstOpen]!);
      this.#firstOpen++;
    }
  }

  /**
   * Goes back up: the level that was left, or undefined when its parent is gone, in which case the walk is in
   * the deepest directory above that could still be found. The top cannot be left.
   */
  leave(): Level<State> | undefined {
    const left = this.#levels.pop()!;
    let found = true;
    this.here = this.#levels.at(-1)!;
    try {
      while (!this.#resume(this.here, found ? left : undefined)) {
        this.#levels.pop();
        this.here = this.#levels.at(-1)!;
        found = false;
      }
    } finally {
      this.#release(left);
    }
    this.#firstOpen = Math.min(this.#firstOpen, Math.max(this.depth, 1));
    return found ? left : undefined;
  }

  /** Closes everything; may be called again. */
  close(): void {
    for (const level of this.#levels) this.#release(level);
  }

  #startReading(level: Level<State>): DirectoryReader {
    const reader = this.#spareReaders.pop() ?? new DirectoryReader();
    reader.hidden = this.hidden;
    if (level.offset !== 0n) sync.lseek(level.fd, level.offset, SEEK_SET);
    reader.start(level.fd);
    level.reader = reader;
    return reader;
  }

  #suspend(level: Level<State>): void {
    level.identity = sync.statx(level.fd, EMPTY, AT_EMPTY_PATH);
    // The walk stands on the entry it went into, so that is where reading goes on.
    if (level.reader) level.offset = level.reader.offset();
    this.#release(level);
  }

  #release(level: Level<State>): void {
    if (level.reader) this.#spareReaders.push(level.reader);
    level.reader = undefined;
    if (level.fd !== CLOSED) sync.close(level.fd);
    level.fd = CLOSED;
  }

  /** Opens a suspended level again; false when it cannot be found where it was. */
  #resume(level: Level<State>, child: Level<State> | undefined): boolean {
    if (level.fd !== CLOSED) return true;
    const fd = this.#openFrom(level, child?.fd, UP) ?? this.#openByNames(level);
    if (fd === undefined) return false;
    level.fd = fd;
    return true;
  }

  /** The last way: from the top down, by the names that led here. All levels between are suspended too. */
  #openByNames(level: Level<State>): number | undefined {
    const top = this.#levels[0]!.fd;
    let above = top;
    for (const step of this.#levels.slice(1)) {
      const fd = this.#openFrom(step, above, step.name);
      if (above !== top) sync.close(above);
      if (fd === undefined || step === level) return fd;
      above = fd;
    }
    return undefined;
  }

  /** Opens what `name` in `fd` is, if it is still the directory of `level`. */
  #openFrom(level: Level<State>, fd: number | undefined, name: Buffer): number | undefined {
    if (fd === undefined) return undefined;
    let opened = CLOSED;
    try {
      opened = sync.openat(fd, name, OPEN_DIRECTORY);
      if (isSameInode(sync.statx(opened, EMPTY, AT_EMPTY_PATH), level.identity!)) return opened;
    } catch (error) {
      if (!isErrno(error)) throw error;
    }
    if (opened !== CLOSED) sync.close(opened);
    return undefined;
  }
}

function level<State>(fd: number, name: Buffer, state: State): Level<State> {
  return { fd, name, state, reader: undefined, offset: 0n, identity: undefined };
}
