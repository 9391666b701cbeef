import { StorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { QuotaModel, QuotaStatus } from '../contract/quota-model.js';
import type { AbstractVolumeAgent, ProjectStatus } from '../contract/volume-agent.js';

const UNKNOWN: QuotaStatus = { usedBytes: null, limitBytes: null };

/**
 * A project for each quota scope and for each vfolder of an unscoped id. A limit of 0 means none, as it always has
 * (protocol section 6.3). Use is in allocated blocks, room set aside for files that are being appended included.
 */
export class XfsQuotaModel implements QuotaModel {
  readonly scopeMode = 0o777;
  readonly enforcesScopes = true;
  readonly enforcesVFolders = true;
  readonly enforcesLate = false;
  readonly usageLagMs = 0;

  constructor(
    private readonly agent: AbstractVolumeAgent,
    private readonly volume: string,
  ) {}

  initialiseScope(path: Buffer, limitBytes: number | null): Promise<void> {
    return this.initialise(path, limitBytes);
  }

  describeScope(path: Buffer): Promise<QuotaStatus> {
    return this.describe(path);
  }

  updateScope(path: Buffer, limitBytes: number | null): Promise<void> {
    return this.update(path, limitBytes);
  }

  releaseScope(path: Buffer): Promise<void> {
    return this.agent.releaseProject(this.volume, path);
  }

  initialiseVFolder(path: Buffer, limitBytes: number | null): Promise<void> {
    return this.initialise(path, limitBytes);
  }

  describeVFolder(path: Buffer): Promise<QuotaStatus> {
    return this.describe(path);
  }

  updateVFolder(path: Buffer, limitBytes: number | null): Promise<void> {
    return this.update(path, limitBytes);
  }

  /** Whose project it is is recorded by that, as long as its line in /etc/projects still leads to it. */
  async prepareRelease(path: Buffer): Promise<void> {
    await this.describe(path);
  }

  releaseVFolder(path: Buffer): Promise<void> {
    return this.agent.releaseProject(this.volume, path);
  }

  /** No limit asked for: what is a project already keeps the one it has. */
  private async initialise(path: Buffer, limitBytes: number | null): Promise<void> {
    try {
      const limits = limitBytes ? { hardBytes: limitBytes } : {};
      await this.agent.initialiseProject(this.volume, path, limits);
    } catch (error) {
      throw isErrno(error, Errno.ENOTEMPTY) ? uncharged(this.volume, error) : error;
    }
  }

  private async describe(path: Buffer): Promise<QuotaStatus> {
    const project = await this.agent.describeProject(this.volume, path);
    return project === null ? UNKNOWN : statusOf(project);
  }

  private async update(path: Buffer, limitBytes: number | null): Promise<void> {
    try {
      await this.agent.limitProject(this.volume, path, { hardBytes: limitBytes || null });
    } catch (error) {
      if (!isErrno(error, Errno.ENODATA)) throw error;
      // Made while the volume had another backend: as long as it is empty it can become a project.
      if (limitBytes) await this.initialise(path, limitBytes);
    }
  }
}

function statusOf(project: ProjectStatus): QuotaStatus {
  const { hardBytes, softBytes, hardInodes, softInodes } = project;
  // The original sets both limits to one number, which says no more than one of them.
  const hasSoftBytes = softBytes !== null && softBytes !== hardBytes;
  return {
    usedBytes: project.usedBytes,
    limitBytes: hardBytes,
    usedInodes: project.usedInodes,
    ...(hasSoftBytes && { softLimitBytes: softBytes }),
    ...(hardInodes !== null && { limitInodes: hardInodes }),
    ...(softInodes !== null && { softLimitInodes: softInodes }),
    ...(project.bytesGraceEndsAt !== null && { bytesGraceEndsAt: project.bytesGraceEndsAt }),
    ...(project.inodesGraceEndsAt !== null && { inodesGraceEndsAt: project.inodesGraceEndsAt }),
  };
}

function uncharged(volume: string, cause: unknown): StorageError {
  return new StorageError(
    'UNSUPPORTED',
    'what this directory holds is charged to no project, so no limit can be set: have the operator run "storage-proxy quota check --fix"',
    { subject: 'quota-scope', volume },
    { cause },
  );
}
