import { chmod, chown, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isStorageError, StorageError } from '../../../errors/storage-error.js';
import { calls } from '../../../native/calls.js';
import { isErrno } from '../../../native/errno.js';
import { loggerFor } from '../../../observability/logger.js';
import { lockSharedFile } from './exclusive.js';
import { ProjectsFile, ProjidFile } from './project-files.js';

/** Where the registry of projects is; see `XfsOptions`. */
export interface RegistryLocation {
  readonly lockFilePath: string;
  readonly projectsFile: string;
  readonly projidFile: string;
}

/** Both files as they were read, to be changed. */
export interface ProjectFiles {
  readonly projects: ProjectsFile;
  readonly projid: ProjidFile;
}

const NEW_FILE_MODE = 0o644;
/** Longer than the files take to be written. */
const PATIENCE_MS = 2_000;
/** Of those after one that waited in vain: for somebody who writes, and not for one who holds it for ever. */
const SHORT_PATIENCE_MS = 200;
const log = loggerFor('xfs');

/**
 * The two files that xfs_quota(8) takes names and directories of projects from. They are for the operator's
 * tools and for the original; what counts is on the filesystem. Whatever others wrote there is kept.
 */
export class ProjectRegistry {
  /** Whether the lock was waited for in vain the last time. */
  #wasHeld = false;

  constructor(private readonly location: RegistryLocation) {}

  /** As they stand; missing ones are empty. Paths and names keep their bytes, as latin1 text. */
  async read(): Promise<ProjectFiles> {
    const { projectsFile, projidFile } = this.location;
    return {
      projects: new ProjectsFile(await textOf(projectsFile)),
      projid: new ProjidFile(await textOf(projidFile)),
    };
  }

  /**
   * Runs `work` while nobody else, the original included, changes the files; what it changed is then written, each file
   * as a whole or not at all. The names go first: a name without a directory does no harm.
   *
   * Without the lock, which any user of the host may hold, nothing is written; and the project itself is as it should
   * be when its name cannot be. So both are only warned of, unless the caller insists.
   *
   * @throws StorageError UNAVAILABLE, or what writing failed with, when `insists`
   */
  async update<T>(
    work: (files: ProjectFiles) => Promise<T>,
    { insists = false }: { readonly insists?: boolean } = {},
  ): Promise<T> {
    const lock = await this.#lock(insists);
    try {
      const files = await this.read();
      const before = { projects: files.projects.toString(), projid: files.projid.toString() };
      const result = await work(files);
      if (lock !== null) await this.#write(files, before, insists);
      return result;
    } finally {
      if (lock !== null) await calls.close(lock);
    }
  }

  async #write(
    { projects, projid }: ProjectFiles,
    before: { readonly projects: string; readonly projid: string },
    insists: boolean,
  ): Promise<void> {
    const { projectsFile, projidFile } = this.location;
    try {
      await replaceIfChanged(projidFile, before.projid, projid.toString());
      await replaceIfChanged(projectsFile, before.projects, projects.toString());
    } catch (error) {
      if (insists) throw error;
      log.warn('The files of projects cannot be written; see register-projects', { err: error });
    }
  }

  async #lock(insists: boolean): Promise<number | null> {
    const { lockFilePath } = this.location;
    // Whoever holds it for ever makes one request wait, not each.
    const patienceMs = insists || !this.#wasHeld ? PATIENCE_MS : SHORT_PATIENCE_MS;
    let reason = `held by another process for ${patienceMs / 1000} s`;
    try {
      const lock = await lockSharedFile(lockFilePath, patienceMs);
      this.#wasHeld = lock === null;
      if (lock !== null) return lock;
    } catch (error) {
      if (!isErrno(error) && !isStorageError(error)) throw error;
      reason = error.message;
    }
    if (insists) throw unlockable(lockFilePath, reason);
    log.warn('Projects are not listed: their files cannot be locked; see lock-file-path', {
      path: lockFilePath,
      reason,
    });
    return null;
  }
}

function unlockable(path: string, reason: string): StorageError {
  return new StorageError('UNAVAILABLE', `${path} cannot be locked: ${reason}`, {
    subject: 'volume',
  });
}

/**
 * Lists the directory under its project, in place of what was listed for either. Named after the directory,
 * as the original does; `volume` tells directories of the same name apart.
 */
export function register(
  { projects, projid }: ProjectFiles,
  projectId: number,
  directory: string,
  name: string,
  volume: string,
): void {
  const isListed = projects.lines.some(
    (line) => line.projectId === projectId && line.directory === directory,
  );
  if (!isListed) {
    projects.remove((line) => line.directory === directory);
    projects.add({ projectId, directory });
  }
  if (projid.lines.some((line) => line.projectId === projectId)) return;
  const holder = projid.lines.find((line) => line.name === name);
  const isElsewhere =
    holder !== undefined && projects.projectIds.includes(holder.projectId) && holder.projectId > 0;
  if (!isElsewhere) projid.remove((line) => line.name === name);
  projid.add({ name: isElsewhere ? `${name}@${volume}` : name, projectId });
}

/** Takes the project's directories below the mount path off the lists, and its name once nothing is left of it. */
export function unregister(
  { projects, projid }: ProjectFiles,
  projectId: number,
  mountPath: string,
): void {
  projects.remove(
    (line) => line.projectId === projectId && line.directory.startsWith(`${mountPath}/`),
  );
  if (projects.projectIds.includes(projectId)) return;
  projid.remove((line) => line.projectId === projectId);
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

async function replaceIfChanged(path: string, before: string, after: string): Promise<void> {
  if (before !== after) await replace(path, after);
}

/** A link is followed: some systems keep /etc elsewhere. Mode and owner stay. */
async function replace(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.new`);
  const old = await stat(target).catch(() => null);
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', NEW_FILE_MODE);
  try {
    await file.writeFile(text, 'latin1');
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(temporary, (old?.mode ?? NEW_FILE_MODE) & 0o7777);
  if (old) await chown(temporary, old.uid, old.gid);
  await rename(temporary, target);
  await syncDirectory(dirname(target));
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
