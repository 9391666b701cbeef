import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as agentModule from '../../../src/backend/xfs/local-volume-agent.js';
import type { VolumeSettings } from '../../../src/backend/contract/backend.js';
import type * as callsModule from '../../../src/native/calls.js';
import type { DiskQuota } from '../../../src/native/disk-quota.js';
import { built } from '../../support/built.js';

/** An XFS mounted with project quotas, as the rig has it. */
export const XFS_MOUNT = process.env['STORAGE_PROXY_TEST_XFS'] ?? '/mnt/xfs';
/** A scope with 100,000 files on an XFS of its own. */
export const MANY_FILES_SCOPE = process.env['STORAGE_PROXY_TEST_XFS_MANY'] ?? '/mnt/many/scope';
/** A device with an XFS that nobody has mounted. */
export const SPARE_DEVICE = process.env['STORAGE_PROXY_TEST_XFS_SPARE'] ?? '/dev/ubdc';

export const KIB = 1024;
export const MIB = 1024 * KIB;

type Agent = InstanceType<typeof agentModule.LocalVolumeAgent>;

/** Options of an xfs volume that lists its projects in files of its own. */
export function xfsOptions(directory: string, changes: object = {}) {
  return {
    lockFilePath: join(directory, 'lock'),
    projectIdMin: 1_000_000_000,
    projectIdMax: 1_999_999_999,
    registerProjects: true,
    projectsFile: join(directory, 'projects'),
    projidFile: join(directory, 'projid'),
    ...changes,
  };
}

/** A directory of its own on the XFS, taken for a volume: quotas do not care where in a filesystem they are. */
export class ScratchVolume {
  readonly path: string;
  /** Where the files are that list projects. */
  readonly files = mkdtempSync(join(tmpdir(), 'xfs-files-'));
  readonly settings: VolumeSettings;

  constructor(
    readonly name: string,
    options: object = {},
    mount = XFS_MOUNT,
  ) {
    this.path = mkdtempSync(join(mount, `${name}-`));
    this.settings = {
      name,
      backend: 'xfs',
      path: this.path,
      fsprefix: '.',
      options: xfsOptions(this.files, options),
    };
  }

  at(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** The path as the agent takes it. */
  mkdir(path: string): Buffer {
    mkdirSync(this.at(path), { recursive: true });
    return Buffer.from(path);
  }

  dispose(): void {
    rmSync(this.path, { recursive: true, force: true });
    rmSync(this.files, { recursive: true, force: true });
  }
}

export async function makeAgent(...volumes: readonly VolumeSettings[]): Promise<Agent> {
  const { LocalVolumeAgent } = await built<typeof agentModule>('backend/xfs/local-volume-agent.js');
  return new LocalVolumeAgent(volumes);
}

/** What the product does with project ids, done by a test behind its back. */
export class Projects {
  private constructor(private readonly calls: typeof callsModule.sync) {}

  static async load(): Promise<Projects> {
    return new Projects((await built<typeof callsModule>('native/calls.js')).sync);
  }

  idOf(path: string): number {
    return this.#with(path, (fd) => this.calls.fileAttributes(fd).projectId);
  }

  set(path: string, projectId: number, inherits = true): void {
    this.#with(path, (fd) =>
      this.calls.setProject(fd, this.calls.fileAttributes(fd), projectId, inherits),
    );
  }

  /** What the product has noted on the directory: `project_id` or `hard_bytes`. */
  noted(path: string, name: string): string | undefined {
    return this.#with(path, (fd) => {
      try {
        return this.calls.fgetxattr(fd, `trusted.storage_proxy.${name}`).toString();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENODATA') return undefined;
        throw error;
      }
    });
  }

  note(path: string, name: string, value: number): void {
    this.#with(path, (fd) =>
      this.calls.fsetxattr(fd, `trusted.storage_proxy.${name}`, String(value)),
    );
  }

  quota(projectId: number, anywhere = XFS_MOUNT): DiskQuota | null {
    return this.#with(anywhere, (fd) => this.calls.projectQuota(fd, projectId));
  }

  limit(projectId: number, limits: object, anywhere = XFS_MOUNT): void {
    this.#with(anywhere, (fd) => this.calls.setProjectLimits(fd, projectId, limits));
  }

  #with<T>(path: string, work: (fd: number) => T): T {
    const O_NONBLOCK_RDONLY = 0o4000;
    const fd = this.calls.openat(-100, Buffer.from(path), O_NONBLOCK_RDONLY);
    try {
      return work(fd);
    } finally {
      this.calls.close(fd);
    }
  }
}
