import { Beneath } from '../../native/beneath.js';
import { Errno, SystemError } from '../../native/errno.js';
import { StorageError } from '../../errors/storage-error.js';
import type { VolumeSettings } from '../contract/backend.js';
import {
  AbstractVolumeAgent,
  type ProjectLimits,
  type ProjectStatus,
  type RemoveTreeOptions,
} from '../contract/volume-agent.js';
import { posixTrees } from '../posix/posix-strategies.js';
import type { PosixTrees } from '../posix/posix-trees.js';
import { VolumeProjects } from './projects/volume-projects.js';
import type { XfsOptions } from './xfs.options.js';

/** The value of `backend` of the volumes that have projects. */
export const XFS = 'xfs';

const HERE = Buffer.from('.');

/**
 * The privileged work, done by this process: by the agent, or by a proxy that is privileged itself. Without the privilege
 * each volume is refused, saying so.
 */
export class LocalVolumeAgent extends AbstractVolumeAgent {
  #volumes: ReadonlyMap<string, Served> = new Map();

  constructor(volumes: readonly VolumeSettings[] = []) {
    super();
    this.serve(volumes);
  }

  /** Takes over a new list of volumes; work that is under way goes on where it is. */
  serve(volumes: readonly VolumeSettings[]): void {
    this.#volumes = new Map(volumes.map((settings) => [settings.name, new Served(settings)]));
  }

  async checkVolume(volume: string): Promise<void> {
    await this.#projects(volume).check();
  }

  async initialiseProject(
    volume: string,
    path: Buffer,
    limits: ProjectLimits,
  ): Promise<ProjectStatus> {
    return await this.#projects(volume).initialise(path, limits);
  }

  async describeProject(volume: string, path: Buffer): Promise<ProjectStatus | null> {
    return await this.#projects(volume).describe(path);
  }

  async limitProject(volume: string, path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    return await this.#projects(volume).limit(path, limits);
  }

  async releaseProject(volume: string, path: Buffer): Promise<void> {
    await this.#projects(volume).release(path);
  }

  async chown(volume: string, path: Buffer, uid: number, gid: number): Promise<void> {
    assertBelow(path);
    using root = await Beneath.openWithoutLinks(this.#find(volume).settings.path);
    await root.chown(path, uid, gid);
  }

  async removeTree(volume: string, path: Buffer, options?: RemoveTreeOptions): Promise<void> {
    assertBelow(path);
    await this.#find(volume).trees.remove({ path }, options);
  }

  #find(volume: string): Served {
    const served = this.#volumes.get(volume);
    if (served) return served;
    throw new StorageError('INVALID_ARGUMENT', `no volume is named "${volume}" here`, {
      subject: 'volume',
      volume,
    });
  }

  #projects(volume: string): VolumeProjects {
    const { projects } = this.#find(volume);
    if (projects) return projects;
    throw new StorageError(
      'INVALID_ARGUMENT',
      `volume "${volume}" has no projects: it is not xfs`,
      {
        subject: 'volume',
        volume,
      },
    );
  }
}

class Served {
  readonly projects: VolumeProjects | undefined;
  #trees: PosixTrees | undefined;

  constructor(readonly settings: VolumeSettings) {
    if (settings.backend === XFS) {
      this.projects = new VolumeProjects(settings as VolumeSettings<XfsOptions>);
    }
  }

  /** Its threads are made when there is something to remove, and end when idle. */
  get trees(): PosixTrees {
    this.#trees ??= posixTrees(this.settings, { refusesLinks: true });
    return this.#trees;
  }
}

/** The mount path itself is nobody's to give away or to remove. */
function assertBelow(path: Buffer): void {
  if (path.length === 0 || path.equals(HERE)) throw new SystemError(Errno.EINVAL, 'path');
}
