import { sync } from '../../../native/calls.js';
import { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from '../../../native/constants.js';
import { DT_DIR, DT_UNKNOWN } from '../../../native/dirent.js';
import { Errno, isErrno, SystemError } from '../../../native/errno.js';
import { functions, type Pointer } from '../../../native/functions.js';
import { isDirectory } from '../../../native/stat.js';
import { Descent, type Level } from '../descent.js';
import { enterMakingAccessible, makeAccessible } from '../permissions.js';
import type { Pace, Walk } from '../walk.js';

/** How often a directory that is found with entries after all of them were removed is gone through again. */
const MAX_ROUNDS = 100;

/** Failures that concern one entry, after which the rest can still be removed. */
const LOCAL_FAILURES = [Errno.EACCES, Errno.EPERM, Errno.EBUSY, Errno.ENOTEMPTY, Errno.EEXIST];

interface Sweeping {
  /** Something below could not be removed, so neither can this. */
  failed: boolean;
  /** How often it was gone through before. */
  readonly round: number;
}

/**
 * Removes what `name` in the directory `parent` is, with everything below; `parent` is taken over. Missing is
 * success. What one entry's permissions forbid does not stop the rest: the first such error is thrown at
 * the end. With `keepDirectory`, the directory itself stays.
 */
export function* remove(
  parent: number,
  name: Buffer,
  keepDirectory: boolean,
  pace: Pace,
): Walk<void> {
  // The parent is the top, so that the directory itself is left and removed like those below it.
  const descent = new Descent<Sweeping>(parent, { failed: false, round: 0 }, pace.hidden);
  try {
    const stat = ifPresent(descent, () => sync.statx(parent, name, AT_SYMLINK_NOFOLLOW));
    if (stat === undefined) return;
    if (!isDirectory(stat)) {
      if (keepDirectory) throw new SystemError(Errno.ENOTDIR, 'unlinkat');
      ifPresent(descent, () => sync.unlinkat(parent, name));
      pace.count(0);
      return;
    }
    yield* new Sweep(descent, name, keepDirectory, pace).run();
  } finally {
    descent.close();
  }
}

class Sweep {
  #firstFailure: SystemError | undefined;
  #rounds = 0;

  constructor(
    private readonly descent: Descent<Sweeping>,
    private readonly name: Buffer,
    private readonly keepDirectory: boolean,
    private readonly pace: Pace,
  ) {}

  *run(): Walk<void> {
    const { descent } = this;
    this.#enter(this.name, 0);
    while (descent.depth > 0) {
      if (descent.next()) this.#removeEntry();
      else if (descent.depth > 1 || !this.keepDirectory) this.#removeLeft(descent.leave());
      else if (!this.#goesThroughAgain()) break;
      if (this.pace.step()) yield;
    }
    if (this.#firstFailure) throw this.#firstFailure;
  }

  /** Whether the directory that is kept still has entries that can be removed; then at the first of them. */
  #goesThroughAgain(): boolean {
    const { descent } = this;
    if (descent.here.state.failed || this.#rounds++ >= MAX_ROUNDS) return false;
    descent.rewind();
    if (!descent.next()) return false;
    this.#removeEntry();
    return true;
  }

  /** The current entry: unlinked, or gone into. */
  #removeEntry(): void {
    const { entry, here } = this.descent;
    const { type } = entry;
    if (type !== DT_DIR && this.#unlink(here, entry.nameAddress, type === DT_UNKNOWN)) return;
    this.#enter(entry.name(), 0);
  }

  /** False when it is a directory after all. */
  #unlink(here: Level<Sweeping>, name: Pointer, mayBeDirectory: boolean): boolean {
    try {
      this.#withAccess(here, () => functions.unlinkat.sync(here.fd, name, 0));
      this.pace.count(0);
      return true;
    } catch (error) {
      // A directory that took the place of the file meanwhile is found when this one is gone through again.
      if (isErrno(error, Errno.EISDIR)) return !mayBeDirectory;
      this.#note(error, here);
      return true;
    }
  }

  #enter(name: Buffer, round: number): void {
    const { here } = this.descent;
    try {
      enterMakingAccessible(this.descent, name, { failed: false, round });
    } catch (error) {
      // ENOTDIR, ELOOP: something else took its place.
      if (isErrno(error, Errno.ENOTDIR, Errno.ELOOP)) this.#unlinkNamed(here, name);
      else this.#note(error, here);
    }
  }

  #unlinkNamed(here: Level<Sweeping>, name: Buffer): void {
    this.#unlink(here, Buffer.concat([name, Buffer.alloc(1)]), false);
  }

  /** A directory whose entries are gone, left for its parent; undefined when the parent was not found again. */
  #removeLeft(left: Level<Sweeping> | undefined): void {
    const { here, depth } = this.descent;
    if (left === undefined) {
      // Moved away under our feet. Levels above find it out when they are not empty; the top is not ours.
      if (depth === 0 && this.#rounds++ < MAX_ROUNDS) this.#enter(this.name, 0);
      return;
    }
    if (left.state.failed) {
      here.state.failed = true;
      return;
    }
    try {
      this.#withAccess(here, () => sync.unlinkat(here.fd, left.name, AT_REMOVEDIR));
      this.pace.count(0);
    } catch (error) {
      const { round } = left.state;
      if (isErrno(error, Errno.ENOTEMPTY, Errno.EEXIST) && round < MAX_ROUNDS) {
        this.#enter(left.name, round + 1);
      } else if (isErrno(error, Errno.ENOTDIR)) this.#unlinkNamed(here, left.name);
      else this.#note(error, here);
    }
  }

  /** Does it again with write permission on the directory, when that was missing; but not on one outside the tree. */
  #withAccess(here: Level<Sweeping>, change: () => void): void {
    try {
      change();
    } catch (error) {
      if (!isErrno(error, Errno.EACCES) || this.descent.depth === 0) throw error;
      makeAccessible(here.fd);
      change();
    }
  }

  /** Goes on after what concerns one entry; what is gone already is not a failure. */
  #note(error: unknown, here: Level<Sweeping>): void {
    if (this.descent.isRemoval(error)) return;
    if (!isErrno(error, ...LOCAL_FAILURES)) throw error;
    here.state.failed = true;
    this.#firstFailure ??= error;
  }
}

function ifPresent<Result>(descent: Descent<Sweeping>, work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (descent.isRemoval(error)) return undefined;
    throw error;
  }
}
