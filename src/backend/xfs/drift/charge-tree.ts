import { sync } from '../../../native/calls.js';
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_NOFOLLOW,
  O_RDONLY,
  O_TENANT,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
} from '../../../native/constants.js';
import { DT_DIR, DT_REG, DT_UNKNOWN } from '../../../native/dirent.js';
import { Errno, isErrno, type SystemError } from '../../../native/errno.js';
import { Descent } from '../../posix/descent.js';
import { GONE } from './volume-layout.js';

/** What a tree holds that is charged to another project than its top directory. */
export interface Strays {
  count: number;
  /** Of them, those that could not be given the right project, such as immutable files. */
  left: number;
  /** Path of the first one below the top. */
  first: string | null;
  /** How many entries could not be looked at. */
  unread: number;
  /** The first of them, and what its system call failed with. */
  firstUnread: { readonly path: string; readonly reason: SystemError } | null;
}

export interface ChargeOptions {
  /** False: only looks. */
  readonly fix: boolean;
  readonly onEntry: () => void;
}

const EMPTY = Buffer.alloc(0);
const SLASH = Buffer.from('/');
/** ENXIO: a socket. */
const CHANGED = [...GONE, Errno.ENXIO];

/**
 * Goes through everything below the directory `fd`, which is taken over, for what carries another project id, or does
 * not pass its own on. A directory is put right before it is read, so that what is made in it from then on
 * is right as well.
 *
 * Links and special files hold no data, and their id cannot be read without following them: left out. Synchronous: for
 * commands.
 */
export function chargeTree(fd: number, projectId: number, options: ChargeOptions): Strays {
  const walk = new ChargeWalk(new Descent<undefined>(fd, undefined), projectId, options);
  try {
    walk.run();
  } finally {
    walk.descent.close();
  }
  return walk.strays;
}

class ChargeWalk {
  readonly strays: Strays = { count: 0, left: 0, first: null, unread: 0, firstUnread: null };
  readonly #names: Buffer[] = [];
  readonly #dev: bigint;

  constructor(
    readonly descent: Descent<undefined>,
    private readonly projectId: number,
    private readonly options: ChargeOptions,
  ) {
    this.#dev = sync.statx(descent.here.fd, EMPTY, AT_EMPTY_PATH).dev;
  }

  run(): void {
    const { descent } = this;
    this.check(descent.here.fd, true);
    for (;;) {
      if (descent.next()) {
        this.visit(descent.entry.name(), descent.entry.type);
      } else {
        if (descent.depth === 0) return;
        descent.leave();
        this.#names.length = descent.depth;
      }
    }
  }

  private visit(name: Buffer, type: number): void {
    this.options.onEntry();
    try {
      const kind = type === DT_UNKNOWN ? this.kindOf(name) : type;
      if (kind === DT_DIR) this.enter(name);
      else if (kind === DT_REG) this.file(name);
    } catch (error) {
      if (!isErrno(error)) throw error;
      // It vanished, or became something else: whoever did that has made it here.
      if (isErrno(error, ...CHANGED)) return;
      this.strays.unread += 1;
      // It may be a directory that could be opened, and is the last of the names already.
      const names = this.#names.at(-1) === name ? this.#names : [...this.#names, name];
      this.strays.firstUnread ??= { path: pathOf(names), reason: error };
    }
  }

  private enter(name: Buffer): void {
    const { descent } = this;
    descent.enter(name, undefined);
    this.#names.push(name);
    const { fd } = descent.here;
    if (sync.statx(fd, EMPTY, AT_EMPTY_PATH).dev !== this.#dev) {
      descent.leave();
      this.#names.length = descent.depth;
      return;
    }
    this.check(fd, true);
  }

  private file(name: Buffer): void {
    const { fd } = this.descent.here;
    const file = sync.openat(fd, name, O_RDONLY | O_NOFOLLOW | O_TENANT);
    try {
      this.#names.push(name);
      this.check(file, false);
    } finally {
      this.#names.pop();
      sync.close(file);
    }
  }

  private check(fd: number, isDirectory: boolean): void {
    const attributes = sync.fileAttributes(fd);
    const isRight = attributes.projectId === this.projectId;
    if (isRight && (attributes.inheritsProject || !isDirectory)) return;
    this.strays.count += 1;
    this.strays.first ??= pathOf(this.#names);
    if (!this.options.fix) return;
    try {
      sync.setProject(fd, attributes, this.projectId, isDirectory);
    } catch (error) {
      if (!isErrno(error)) throw error;
      this.strays.left += 1;
    }
  }

  private kindOf(name: Buffer): number {
    const { mode } = sync.statx(this.descent.here.fd, name, AT_SYMLINK_NOFOLLOW);
    if ((mode & S_IFMT) === S_IFDIR) return DT_DIR;
    return (mode & S_IFMT) === S_IFREG ? DT_REG : DT_UNKNOWN;
  }
}

function pathOf(names: readonly Buffer[]): string {
  return Buffer.concat(
    names.flatMap((name, index) => (index > 0 ? [SLASH, name] : [name])),
  ).toString();
}
