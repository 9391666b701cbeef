import type { VolumeSettings } from '../../contract/backend.js';
import type { ProjectLimits, ProjectStatus } from '../../contract/volume-agent.js';
import { Beneath } from '../../../native/beneath.js';
import { calls } from '../../../native/calls.js';
import { Errno, SystemError } from '../../../native/errno.js';
import { mountOf } from '../../../native/mounts.js';
import type { XfsOptions } from '../xfs.options.js';
import { Turns, withLockedDirectory } from './exclusive.js';
import { ProjectDirectory, withProjectDirectory } from './project-directory.js';
import { ProjectIds } from './project-ids.js';
import { applyLimits, assertLimits, statusOf } from './project-limits.js';
import { projectName } from './project-name.js';
import { ProjectRegistry, register, unregister, type ProjectFiles } from './project-registry.js';
import { assertProjectQuota } from './quota-check.js';

/**
 * The projects of one volume, by system calls of a privileged process. A directory's own attributes say which
 * project it is, and the filesystem's quota record what that may hold; everything else here can be lost.
 */
export class VolumeProjects {
  readonly #ids: ProjectIds;
  readonly #registry: ProjectRegistry;
  readonly #turns = new Turns();

  constructor(private readonly settings: VolumeSettings<XfsOptions>) {
    this.#ids = new ProjectIds(settings.options);
    this.#registry = new ProjectRegistry(settings.options);
  }

  /** @throws StorageError UNAVAILABLE */
  check(): Promise<void> {
    return assertProjectQuota(this.settings.name, this.settings.path);
  }

  /** Rejects with ENOTEMPTY for a directory that holds something and is no project: that would stay uncharged. */
  initialise(path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    assertLimits(limits);
    return this.exclusively((files) =>
      this.within(path, async (directory) => {
        const projectId = directory.projectId ?? (await this.make(directory, limits, files));
        if (directory.projectId !== null) await applyLimits(directory.fd, projectId, limits);
        if (files) this.list(files, projectId, path);
        return await statusOf(directory.fd, projectId);
      }),
    );
  }

  describe(path: Buffer): Promise<ProjectStatus | null> {
    return this.within(path, async ({ fd, projectId }) =>
      projectId === null ? null : await statusOf(fd, projectId),
    );
  }

  limit(path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    assertLimits(limits);
    return this.within(path, async ({ fd, projectId }) => {
      if (projectId === null) throw new SystemError(Errno.ENODATA, 'quotactl');
      await applyLimits(fd, projectId, limits);
      return await statusOf(fd, projectId);
    });
  }

  release(path: Buffer): Promise<void> {
    return this.within(path, async (directory) => {
      const { fd, projectId } = directory;
      if (projectId === null) return;
      if (!(await directory.isEmpty())) throw new SystemError(Errno.ENOTEMPTY, 'quotactl');
      await calls.setProjectLimits(fd, projectId, UNLIMITED);
      await this.registering(async (files) => {
        if (files) unregister(files, projectId, this.settings.path);
      });
    });
  }

  /**
   * Gives the directory a new id, whatever it holds and whatever it had: for repairs, which give the id to what is below
   * afterwards.
   */
  renew(path: Buffer, limits: ProjectLimits): Promise<number> {
    return this.exclusively((files) =>
      this.within(path, async (directory) => {
        const projectId = await this.giveId(directory, limits, files);
        if (files) this.list(files, projectId, path);
        return projectId;
      }),
    );
  }

  /** The files that list projects as they stand; `null` without registration. */
  async listed(): Promise<ProjectFiles | null> {
    return this.settings.options.registerProjects ? await this.#registry.read() : null;
  }

  /** Runs `work` on the files that list projects, while no project of the filesystem is made; on `null` without registration. */
  maintain<T>(work: (files: ProjectFiles | null) => Promise<T>): Promise<T> {
    return this.exclusively(work);
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
   * The limit comes first, so that there is no moment at which the project has none. Other volumes of the
   * filesystem may have locks of their own, seen from another container: an id that more than this directory
   * carries right after was taken twice, and is given back.
   */
  private async giveId(
    { fd, attributes }: ProjectDirectory,
    limits: ProjectLimits,
    files: ProjectFiles | null,
  ): Promise<number> {
    const listed = files ? [...files.projid.projectIds, ...files.projects.projectIds] : [];
    for (let attempt = 1; ; attempt++) {
      const projectId = await this.#ids.next(fd, listed);
      await applyLimits(fd, projectId, limits);
      try {
        await calls.setProject(fd, attributes, projectId, true);
        await calls.fsync(fd);
      } catch (error) {
        await calls.setProjectLimits(fd, projectId, UNLIMITED);
        throw error;
      }
      const { usedInodes } = await statusOf(fd, projectId);
      if (usedInodes <= 1 || attempt === MAX_COLLISIONS) return projectId;
      this.#ids.skip();
    }
  }

  private list(files: ProjectFiles, projectId: number, path: Buffer): void {
    const relative = path.toString('latin1');
    const mountPath = Buffer.from(this.settings.path).toString('latin1');
    const { name } = this.settings;
    register(files, projectId, `${mountPath}/${relative}`, projectName(relative), name);
  }

  /** One at a time: in this process in order, among processes by the lock of the mount point, which needs no file. */
  private exclusively<T>(work: (files: ProjectFiles | null) => Promise<T>): Promise<T> {
    return this.#turns.take(async () =>
      withLockedDirectory(await mountPointOf(this.settings.path), () => this.registering(work)),
    );
  }

  private registering<T>(work: (files: ProjectFiles | null) => Promise<T>): Promise<T> {
    if (!this.settings.options.registerProjects) return work(null);
    return this.#registry.update(work);
  }

  private within<T>(path: Buffer, work: (directory: ProjectDirectory) => Promise<T>): Promise<T> {
    return withProjectDirectory(this.settings.path, path, work);
  }
}

/** Several volumes of a configuration may be on one filesystem, which has one set of ids. */
async function mountPointOf(path: string): Promise<string> {
  using root = await Beneath.open(path);
  return mountOf((await root.stat()).dev)?.mountPoint ?? path;
}

const MAX_COLLISIONS = 8;
const UNLIMITED = { hardBytes: null, softBytes: null, hardInodes: null, softInodes: null } as const;
