import type { VolumeSettings } from '../../contract/backend.js';
import type { ProjectLimits, ProjectStatus } from '../../contract/volume-agent.js';
import { calls } from '../../../native/calls.js';
import { Errno, SystemError } from '../../../native/errno.js';
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

  /** The limit comes first, so that there is no moment at which the project has none. */
  private async make(
    directory: ProjectDirectory,
    limits: ProjectLimits,
    files: ProjectFiles | null,
  ): Promise<number> {
    if (!(await directory.isEmpty())) throw new SystemError(Errno.ENOTEMPTY, 'ioctl');
    const { fd, attributes } = directory;
    const listed = files ? [...files.projid.projectIds, ...files.projects.projectIds] : [];
    const projectId = await this.#ids.next(fd, listed);
    await applyLimits(fd, projectId, limits);
    try {
      await calls.setProject(fd, attributes, projectId, true);
      await calls.fsync(fd);
    } catch (error) {
      await calls.setProjectLimits(fd, projectId, UNLIMITED);
      throw error;
    }
    return projectId;
  }

  private list(files: ProjectFiles, projectId: number, path: Buffer): void {
    const relative = path.toString('latin1');
    const mountPath = Buffer.from(this.settings.path).toString('latin1');
    const { name } = this.settings;
    register(files, projectId, `${mountPath}/${relative}`, projectName(relative), name);
  }

  /** One at a time: in this process in order, among processes by the lock of the mount path, which needs no file. */
  private exclusively<T>(work: (files: ProjectFiles | null) => Promise<T>): Promise<T> {
    return this.#turns.take(() =>
      withLockedDirectory(this.settings.path, () => this.registering(work)),
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

const UNLIMITED = { hardBytes: null, softBytes: null, hardInodes: null, softInodes: null } as const;
