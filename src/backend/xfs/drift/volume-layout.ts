import { sync } from '../../../native/calls.js';
import { AT_EMPTY_PATH, AT_FDCWD, O_NOFOLLOW } from '../../../native/constants.js';
import { DirectoryReader } from '../../../native/directory-reader.js';
import { DT_DIR, DT_UNKNOWN } from '../../../native/dirent.js';
import { Errno, isErrno } from '../../../native/errno.js';
import type { FileAttributes } from '../../../native/file-attributes.js';
import { READABLE, STRICT } from '../projects/project-directory.js';
import { recordsOf } from '../projects/directory-record.js';

/** A directory that ought to be a project: a quota scope, or a vfolder of an unscoped id (protocol section 2.6). */
export interface ProjectRoot {
  /** Below the mount path. */
  readonly path: string;
  readonly inode: bigint;
  /** Its own; `null` when it has none, or that of the directory above. */
  readonly projectId: number | null;
  /** What its inode carries; 0 for none. */
  readonly carriedId: number;
  /** The project that was made for it, where that was noted. */
  readonly recordedProject: number | null;
  /** What was last asked for through the proxy. */
  readonly recordedLimit: number | null;
}

/** What there is on a volume, without looking into vfolders. */
export interface VolumeLayout {
  /** Of the mount path; 0 unless the operator keeps the whole volume in a project. */
  readonly projectId: number;
  readonly roots: readonly ProjectRoot[];
  /** Prefix directories that are charged to somebody. */
  readonly strayPrefixes: readonly string[];
  /** Ids of vfolders that are being deleted. */
  readonly leavingIds: ReadonlySet<number>;
}

/** What is said of a name behind which there is nothing any more, or something else. */
export const GONE = [Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.ESTALE];

const SCOPE = /^[0-9a-f]{32}$/;
const PREFIX = /^[0-9a-f]{2}$/;
const REST = /^[0-9a-f]{28}$/;
const TRASH = '.trash';
const HERE = Buffer.alloc(0);

/** Reads the upper levels of a volume. Synchronous: for commands. Throws SystemError. */
export function readLayout(mountPath: string): VolumeLayout {
  const mount = sync.openat(AT_FDCWD, Buffer.from(mountPath), READABLE);
  try {
    return new LayoutReader(mount).read();
  } finally {
    sync.close(mount);
  }
}

/** One root of the layout as it is now; `null` when it is gone. */
export function readRoot(mountPath: string, path: string): ProjectRoot | null {
  const mount = sync.openat(AT_FDCWD, Buffer.from(mountPath), READABLE);
  try {
    return new LayoutReader(mount).readRoot(path);
  } finally {
    sync.close(mount);
  }
}

class LayoutReader {
  readonly #roots: ProjectRoot[] = [];
  readonly #strayPrefixes: string[] = [];
  readonly #leavingIds = new Set<number>();
  readonly #projectId: number;

  constructor(private readonly mount: number) {
    this.#projectId = sync.fileAttributes(mount).projectId;
  }

  read(): VolumeLayout {
    for (const name of directoriesIn(this.mount)) {
      if (SCOPE.test(name)) this.root(name);
      else if (PREFIX.test(name)) this.prefix(name);
      else if (name === TRASH) this.trash(name);
    }
    return {
      projectId: this.#projectId,
      roots: this.#roots,
      strayPrefixes: this.#strayPrefixes,
      leavingIds: this.#leavingIds,
    };
  }

  readRoot(path: string): ProjectRoot | null {
    this.root(path);
    return this.#roots[0] ?? null;
  }

  private prefix(outer: string): void {
    this.within(outer, (fd, attributes) => {
      this.checkPrefix(outer, attributes);
      for (const inner of directoriesIn(fd)) {
        if (PREFIX.test(inner)) this.innerPrefix(`${outer}/${inner}`);
      }
    });
  }

  private innerPrefix(path: string): void {
    this.within(path, (fd, attributes) => {
      this.checkPrefix(path, attributes);
      for (const rest of directoriesIn(fd)) if (REST.test(rest)) this.root(`${path}/${rest}`);
    });
  }

  private checkPrefix(path: string, { projectId }: FileAttributes): void {
    if (projectId !== this.#projectId) this.#strayPrefixes.push(path);
  }

  private root(path: string): void {
    this.within(path, (fd, { projectId }) => {
      const isOwn = projectId !== 0 && projectId !== this.#projectId;
      this.#roots.push({
        path,
        inode: sync.statx(fd, HERE, AT_EMPTY_PATH).ino,
        projectId: isOwn ? projectId : null,
        carriedId: projectId,
        ...recordsOf(fd),
      });
    });
  }

  private trash(path: string): void {
    this.within(path, (fd) => {
      for (const name of directoriesIn(fd)) {
        this.within(`${path}/${name}`, (_, { projectId }) => this.#leavingIds.add(projectId));
      }
    });
  }

  /** What vanishes, or is a link or another filesystem, is passed over. */
  private within(path: string, look: (fd: number, attributes: FileAttributes) => void): void {
    let fd: number;
    try {
      fd = sync.openat2(this.mount, Buffer.from(path), READABLE | O_NOFOLLOW, 0, STRICT);
    } catch (error) {
      if (isErrno(error, ...GONE, Errno.EXDEV)) return;
      throw error;
    }
    try {
      look(fd, sync.fileAttributes(fd));
    } finally {
      sync.close(fd);
    }
  }
}

/** In the order of their names, so that a report of the same volume reads the same. */
function directoriesIn(fd: number): string[] {
  const reader = new DirectoryReader();
  const names: string[] = [];
  reader.start(fd);
  while (reader.next()) {
    if (reader.type === DT_DIR || reader.type === DT_UNKNOWN) {
      names.push(reader.name().toString('latin1'));
    }
  }
  return names.toSorted();
}
