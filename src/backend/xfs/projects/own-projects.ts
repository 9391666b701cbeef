import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../../../errors/storage-error.js';
import { calls } from '../../../native/calls.js';
import { AT_EMPTY_PATH } from '../../../native/constants.js';
import { isErrno } from '../../../native/errno.js';
import { loggerFor } from '../../../observability/logger.js';
import type { VolumeSettings } from '../../contract/backend.js';
import type { XfsOptions } from '../xfs.options.js';
import { recordedProject, recordProject } from './directory-record.js';
import type { ProjectDirectory } from './project-directory.js';
import { statusOf } from './project-limits.js';
import { ListedProjects, ownProjectOf, type OwnProject } from './project-ownership.js';
import type { ProjectFiles } from './project-registry.js';

const EMPTY = Buffer.alloc(0);
/** XFS counts a deleted file until it has cleared it away, in the background. */
const CLEARING_CHECKS = 20;
const CLEARING_PAUSE_MS = 50;
const log = loggerFor('xfs');

/** Tells which project each directory of a volume has by right, whatever it carries. */
export class OwnProjects {
  constructor(
    private readonly settings: VolumeSettings<XfsOptions>,
    private readonly listed: () => Promise<ProjectFiles | null>,
  ) {}

  /** `fullPath`: as the files have it, bytes as latin1. `null` when nothing tells. */
  async find(directory: ProjectDirectory, fullPath: string): Promise<OwnProject | null> {
    const { fd, attributes } = directory;
    const { projectId: carriedId } = attributes;
    const recorded = await recordedProject(fd);
    const lines = recorded === null ? ((await this.listed())?.projects.lines ?? []) : [];
    const listed = await ListedProjects.read(
      fd,
      lines.filter((line) => line.projectId === carriedId || line.directory === fullPath),
    );
    const isListed = listed.lines.length > 0;
    const inode = isListed ? (await calls.statx(fd, EMPTY, AT_EMPTY_PATH)).ino : 0n;
    const claimant = { inode, carriedId, recordedProject: recorded };
    return ownProjectOf(claimant, listed, this.settings.options);
  }

  /**
   * Records what a line says, for when that is lost, or the directory has another path. As far as possible: the line goes on to
   * prove it. The caller holds the lock of the filesystem.
   */
  async record({ fd }: ProjectDirectory, own: OwnProject | null): Promise<void> {
    if (own?.proof !== 'line') return;
    try {
      await recordProject(fd, own.projectId);
      await calls.fsync(fd);
    } catch (error) {
      if (!isErrno(error)) throw error;
      log.debug('The project of a directory is not recorded', { err: error });
    }
  }

  /** @throws StorageError UNSUPPORTED for a directory that carries another project than its own */
  assert(projectId: number, own: OwnProject | null): void {
    if (own?.projectId === projectId) return;
    throw new StorageError(
      'UNSUPPORTED',
      `this directory carries project ${projectId}, which was not made for it: have the operator run "storage-proxy quota check --fix"`,
      { subject: 'quota-scope', volume: this.settings.name },
    );
  }

  /**
   * Whether the limit of what the directory, which is empty, carries may go with it. Without a proof only when nothing else
   * has part in that project.
   */
  async isReleasable(
    { fd }: ProjectDirectory,
    projectId: number,
    own: OwnProject | null,
  ): Promise<boolean> {
    if (own?.projectId !== projectId) return false;
    if (own.proof !== 'unclaimed') return true;
    for (let check = 1; check <= CLEARING_CHECKS; check++) {
      if ((await statusOf(fd, projectId)).usedInodes <= 1) return true;
      await sleep(CLEARING_PAUSE_MS);
    }
    return false;
  }
}
