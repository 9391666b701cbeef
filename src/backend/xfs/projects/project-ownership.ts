import { calls, sync } from '../../../native/calls.js';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from '../../../native/constants.js';
import { Errno, isErrno } from '../../../native/errno.js';
import type { Stat } from '../../../native/stat.js';
import type { DirectoryLine } from './project-files.js';
import type { ProjectIdRange } from './project-ids.js';

const HERE = Buffer.alloc(0);
const GONE = [Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.ENAMETOOLONG];
/** Of no inode. */
const UNKNOWN = 0n;

/** A directory, and what it says of its project itself. */
export interface Claimant {
  readonly inode: bigint;
  /** 0 for none. */
  readonly carriedId: number;
  /** The project that was made for it, where that was noted. */
  readonly recordedProject: number | null;
}

/** The project of a directory, whatever it carries, and what says so: `unclaimed` means only that nothing says otherwise. */
export interface OwnProject {
  readonly projectId: number;
  readonly proof: 'record' | 'line' | 'unclaimed';
}

/** A line of projects(5) whose directory is on the filesystem in question. */
export interface ListedDirectory extends DirectoryLine {
  readonly inode: bigint;
}

/**
 * What /etc/projects says of one filesystem. Ids are a filesystem's own, and the file is the host's: lines whose
 * directory is on another one, or gone, say nothing here. Directories are known by their inodes, since a volume may be
 * seen at another path than when it was listed.
 */
export class ListedProjects {
  readonly #idsOf = new Map<bigint, number[]>();
  readonly #ids = new Set<number>();

  private constructor(readonly lines: readonly ListedDirectory[]) {
    for (const { inode, projectId } of lines) {
      this.#ids.add(projectId);
      this.#idsOf.set(inode, [...(this.#idsOf.get(inode) ?? []), projectId]);
    }
  }

  /** `fd`: any open file of the filesystem. Rejects with SystemError. */
  static async read(fd: number, lines: readonly DirectoryLine[]): Promise<ListedProjects> {
    if (lines.length === 0) return new ListedProjects([]);
    const { dev } = await calls.statx(fd, HERE, AT_EMPTY_PATH);
    const listed: ListedDirectory[] = [];
    for (const line of lines) {
      const path = Buffer.from(line.directory, 'latin1');
      const found = await calls.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW).catch(failureOf);
      listed.push(...onFilesystem(line, dev, found));
    }
    return new ListedProjects(listed);
  }

  /** Synchronous, for commands. Throws SystemError. */
  static readSync(dev: bigint, lines: readonly DirectoryLine[]): ListedProjects {
    return new ListedProjects(lines.flatMap((line) => onFilesystem(line, dev, statOf(line))));
  }

  /** Whether it is listed for any directory. */
  has(projectId: number): boolean {
    return this.#ids.has(projectId);
  }

  /** What the directory is listed with: of several ids the one that it carries, else the last. */
  of({ inode, carriedId }: Pick<Claimant, 'inode' | 'carriedId'>): number | null {
    const ids = this.#idsOf.get(inode) ?? [];
    return ids.includes(carriedId) ? carriedId : (ids.at(-1) ?? null);
  }
}

/**
 * Which project was made for the directory: by us, which is recorded; by the original, which is listed; or by the
 * operator, with an id that nobody is listed with and that we do not give. Its owner may have had it carry another
 * since, so what it carries says the least. `null`: nothing tells.
 */
export function ownProjectOf(
  claimant: Claimant,
  listed: ListedProjects,
  { projectIdMin, projectIdMax }: ProjectIdRange,
): OwnProject | null {
  const { recordedProject, carriedId } = claimant;
  if (recordedProject !== null) return { projectId: recordedProject, proof: 'record' };
  const projectId = listed.of(claimant);
  if (projectId !== null) return { projectId, proof: 'line' };
  if (carriedId === 0 || listed.has(carriedId)) return null;
  if (carriedId >= projectIdMin && carriedId <= projectIdMax) return null;
  return { projectId: carriedId, proof: 'unclaimed' };
}

/** A directory that cannot be looked at is somebody's all the same. */
function onFilesystem(line: DirectoryLine, dev: bigint, found: Stat | Error): ListedDirectory[] {
  if (found instanceof Error) return isErrno(found, ...GONE) ? [] : [{ ...line, inode: UNKNOWN }];
  return found.dev === dev ? [{ ...line, inode: found.ino }] : [];
}

function statOf({ directory }: DirectoryLine): Stat | Error {
  try {
    return sync.statx(AT_FDCWD, Buffer.from(directory, 'latin1'), AT_SYMLINK_NOFOLLOW);
  } catch (error) {
    return failureOf(error);
  }
}

function failureOf(error: unknown): Error {
  if (isErrno(error)) return error;
  throw error;
}
