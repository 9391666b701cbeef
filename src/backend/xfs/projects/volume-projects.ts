import { isStorageError, StorageError } from '../../../errors/storage-error.js';
import { loggerFor } from '../../../observability/logger.js';
import { calls } from '../../../native/calls.js';
import { Errno, isErrno, SystemError } from '../../../native/errno.js';
import type { VolumeSettings } from '../../contract/backend.js';
import type { ProjectLimits, ProjectStatus } from '../../contract/volume-agent.js';
import type { XfsOptions } from '../xfs.options.js';
import { recordedProject, recordLimit, recordProject } from './directory-record.js';
import type { HostLock } from './exclusive.js';
import { assertLockable, filesystemLock } from './filesystem-lock.js';
import { withProjectDirectory, type ProjectDirectory } from './project-directory.js';
import { ProjectIds } from './project-ids.js';
import { applyLimits, assertLimits, statusOf } from './project-limits.js';
import { OwnProjects } from './own-projects.js';
import { projectName } from './project-name.js';
import { ProjectRegistry, register, unregister, type ProjectFiles } from './project-registry.js';
import { assertProjectQuota } from './quota-check.js';

const log = loggerFor('xfs');
const MAX_COLLISIONS = 8;
const UNLIMITED = { hardBytes: null, softBytes: null, hardInodes: null, softInodes: null } as const;

/**
 * The projects of one volume, by system calls of a privileged process. A directory's own attributes say which
 * project it is, and the filesystem's quota record what that may hold; everything else here can be lost.
 */
export class VolumeProjects {
  readonly #ids: ProjectIds;
  readonly #registry: ProjectRegistry;
  readonly #own: OwnProjects;
  readonly #lock: HostLock;

  constructor(private readonly settings: VolumeSettings<XfsOptions>) {
    this.#ids = new ProjectIds(settings.options);
    this.#registry = new ProjectRegistry(settings.options);
    this.#own = new OwnProjects(settings, () => this.listed());
    this.#lock = filesystemLock(settings.path);
  }

  /** @throws StorageError UNAVAILABLE */
  async check(): Promise<void> {
    await assertProjectQuota(this.settings.name, this.settings.path);
    await assertLockable(this.settings.path);
  }

  /** Rejects with ENOTEMPTY for a directory that holds something and is no project: that would stay uncharged. */
  initialise(path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    assertLimits(limits);
    return this.exclusively((files) =>
      this.within(path, async (directory) => {
        const { fd } = directory;
        const present = await this.claimOwn(directory, path);
        const projectId = present ?? (await this.make(directory, limits, files));
        if (present !== null) {
          await recordProject(fd, present);
          await applyLimits(fd, present, limits);
        }
        if (files) this.list(files, projectId, path);
        return await statusOf(fd, projectId);
      }),
    );
  }

  describe(path: Buffer): Promise<ProjectStatus | null> {
    return this.within(path, async (directory) => {
      const { fd, projectId } = directory;
      if (projectId === null) return null;
      const own = await this.#own.find(directory, this.fullPath(path));
      // Once: from then on it is recorded.
      if (own?.proof === 'line') await this.adopt(path);
      this.#own.assert(projectId, own);
      return await statusOf(fd, projectId);
    });
  }

  limit(path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    assertLimits(limits);
    return this.#lock.run(() =>
      this.within(path, async (directory) => {
        const projectId = await this.claimOwn(directory, path);
        if (projectId === null) throw new SystemError(Errno.ENODATA, 'quotactl');
        await applyLimits(directory.fd, projectId, limits);
        return await statusOf(directory.fd, projectId);
      }),
    );
  }

  /** A directory with the id of somebody else's project is left as it is: it is about to be removed. */
  release(path: Buffer): Promise<void> {
    return this.exclusively((files) =>
      this.within(path, async (directory) => {
        const { fd, projectId } = directory;
        if (projectId === null) return;
        if (!(await directory.isEmpty())) throw new SystemError(Errno.ENOTEMPTY, 'quotactl');
        const own = await this.#own.find(directory, this.fullPath(path));
        if (!(await this.#own.isReleasable(directory, projectId, own))) {
          log.warn('A directory is given up that carries the project of another one', {
            volume: this.settings.name,
            path: path.toString('latin1'),
            project: projectId,
          });
          return;
        }
        await calls.setProjectLimits(fd, projectId, UNLIMITED);
        await recordLimit(fd, null);
        if (files) unregister(files, projectId, this.settings.path);
      }),
    );
  }

  /**
   * Gives the directory a new id, whatever it holds: for repairs, which give the id to what is below afterwards. `null`,
   * and nothing is done, when it does not carry `seen` any more: somebody has made it a project meanwhile.
   */
  renew(path: Buffer, seen: number, limits: ProjectLimits): Promise<number | null> {
    return this.exclusively((files) =>
      this.within(path, async (directory) => {
        if (directory.attributes.projectId !== seen) return null;
        const projectId = await this.giveId(directory, limits, files);
        if (files) this.list(files, projectId, path);
        return projectId;
      }),
    );
  }

  /** Makes `projectId`, which it carries or carried, the directory's own: for repairs. False when it does not carry `seen` any more. */
  restore(path: Buffer, seen: number, projectId: number): Promise<boolean> {
    return this.#lock.run(() =>
      this.within(path, async ({ fd, attributes }) => {
        if (attributes.projectId !== seen) return false;
        await recordProject(fd, projectId);
        if (seen !== projectId) await calls.setProject(fd, attributes, projectId, true);
        await calls.fsync(fd);
        return true;
      }),
    );
  }

  /** The files that list projects as they stand; `null` without registration. */
  async listed(): Promise<ProjectFiles | null> {
    return this.settings.options.registerProjects ? await this.#registry.read() : null;
  }

  /**
   * Runs `work` on the files that list projects, while no project of the filesystem is made or changed; on `null` without
   * registration. What it changes in them is written, or this rejects.
   */
  maintain<T>(work: (files: ProjectFiles | null) => Promise<T>): Promise<T> {
    return this.#lock.run(() => this.registering(work, true));
  }

  /** Runs `work` while no project of the filesystem is made or changed. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.run(work);
  }

  private async make(
    directory: ProjectDirectory,
    limits: ProjectLimits,
    files: ProjectFiles | null,
  ): Promise<number> {
    if (!(await directory.isEmpty())) throw new SystemError(Errno.ENOTEMPTY, 'ioctl');
    return await this.giveId(directory, limits, files);
  }

  /**
   * Other hosts or containers may have locks of their own: an id that more than this directory carries right after
   * was taken twice, and is given back. Only then is it limited, or the limit of whoever has it would be lost; nothing
   * is in the directory yet. The record comes first, since an id of ours without one is nobody's.
   *
   * @throws StorageError UNAVAILABLE when each id is taken by somebody else; the directory is then as it was
   */
  private async giveId(
    directory: ProjectDirectory,
    limits: ProjectLimits,
    files: ProjectFiles | null,
  ): Promise<number> {
    const { fd, attributes } = directory;
    const listed = files ? [...files.projid.projectIds, ...files.projects.projectIds] : [];
    const recorded = await recordedProject(fd);
    try {
      for (let attempt = 1; attempt <= MAX_COLLISIONS; attempt++) {
        const projectId = await this.#ids.next(fd, listed);
        await recordProject(fd, projectId);
        await calls.setProject(fd, attributes, projectId, true);
        if ((await statusOf(fd, projectId)).usedInodes <= 1) {
          await this.limitNew(fd, projectId, limits);
          return projectId;
        }
        this.#ids.skip();
      }
      throw this.takenByOthers();
    } catch (error) {
      await takeBack(directory, recorded);
      throw error;
    }
  }

  private async limitNew(fd: number, projectId: number, limits: ProjectLimits): Promise<void> {
    try {
      await applyLimits(fd, projectId, limits);
      await calls.fsync(fd);
    } catch (error) {
      await calls.setProjectLimits(fd, projectId, UNLIMITED);
      throw error;
    }
  }

  /**
   * The project that the directory is, recorded from then on; `null` when it is none. The caller holds the lock.
   *
   * @throws StorageError UNSUPPORTED for one that is not its own
   */
  private async claimOwn(directory: ProjectDirectory, path: Buffer): Promise<number | null> {
    const { projectId } = directory;
    if (projectId === null) return null;
    const own = await this.#own.find(directory, this.fullPath(path));
    await this.#own.record(directory, own);
    this.#own.assert(projectId, own);
    return projectId;
  }

  /** As far as possible: whoever asks what is used does not mind. */
  private async adopt(path: Buffer): Promise<void> {
    try {
      await this.#lock.run(() =>
        this.within(path, async (directory) => {
          const own = await this.#own.find(directory, this.fullPath(path));
          await this.#own.record(directory, own);
        }),
      );
    } catch (error) {
      if (!isErrno(error) && !isStorageError(error)) throw error;
      log.debug('The project of a directory is not recorded', { err: error });
    }
  }

  private takenByOthers(): StorageError {
    return new StorageError(
      'UNAVAILABLE',
      `${MAX_COLLISIONS} project ids in a row were taken by somebody else at the same moment: let proxies that see the filesystem from different hosts or containers have ranges of their own (project-id-min, project-id-max)`,
      { subject: 'volume', volume: this.settings.name },
    );
  }

  private list(files: ProjectFiles, projectId: number, path: Buffer): void {
    const name = projectName(path.toString('latin1'));
    register(files, projectId, this.fullPath(path), name, this.settings.name);
  }

  /** As the files have it: bytes as latin1. */
  private fullPath(path: Buffer): string {
    return `${Buffer.from(this.settings.path).toString('latin1')}/${path.toString('latin1')}`;
  }

  private exclusively<T>(work: (files: ProjectFiles | null) => Promise<T>): Promise<T> {
    return this.#lock.run(() => this.registering(work, false));
  }

  private registering<T>(
    work: (files: ProjectFiles | null) => Promise<T>,
    insists: boolean,
  ): Promise<T> {
    if (!this.settings.options.registerProjects) return work(null);
    return this.#registry.update(work, { insists });
  }

  private within<T>(path: Buffer, work: (directory: ProjectDirectory) => Promise<T>): Promise<T> {
    return withProjectDirectory(this.settings.path, path, work);
  }
}

/** As far as possible: what led here is what matters, and the next attempt, or a check, starts from what is there. */
async function takeBack(
  { fd, attributes }: ProjectDirectory,
  recorded: number | null,
): Promise<void> {
  try {
    await calls.setProject(fd, attributes, attributes.projectId, attributes.inheritsProject);
    await recordProject(fd, recorded);
  } catch (error) {
    log.warn('A directory keeps the id of a project that could not be made', { err: error });
  }
}
