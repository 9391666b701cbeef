import { Injectable } from '@nestjs/common';
import { fromSystemError } from '../../errors/from-system-error.js';
import { loggerFor } from '../../observability/logger.js';
import { vfolderPath } from '../ids/layout.js';
import type { VFolderId, VFolderRef } from '../ids/vfolder-id.js';
import { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { newJobId, type JobId } from './job.js';
import { JobFeed } from './job-feed.js';
import { jobOf, newRecord, type DeleteVFolderManifest, type JobRecord } from './job-record.js';
import { JobRunner } from './job-runner.js';
import { JobStore } from './job-store.js';
import { JobTasks } from './job-tasks.js';
import { scanScope } from './journal-scan.js';
import { discard, type Discarded } from './trash.js';

type Deletion = JobRecord<DeleteVFolderManifest>;

/** Takes requests to delete vfolders. */
@Injectable()
export class VFolderDeletion {
  readonly #log = loggerFor('jobs');

  constructor(
    private readonly registry: VolumeRegistry,
    private readonly tasks: JobTasks,
    private readonly runner: JobRunner,
    private readonly feed: JobFeed,
  ) {}

  /**
   * Takes the vfolder away at once; from then on nothing keeps its deletion from coming to its end. A scoped
   * id's content is removed by a job, whose id comes back; an unscoped one's is gone when this resolves, with
   * `null`. A missing vfolder is success, so requests may be repeated: a repeated one gets the job of the first.
   *
   * @throws StorageError UNAVAILABLE; PERMISSION_DENIED; for unscoped ids whatever keeps the content from
   *   being removed, which is tried again until it succeeds all the same
   */
  async delete({ volume: name, id: vfolder }: VFolderRef): Promise<JobId | null> {
    const volume = this.registry.get(name);
    const jobId = newJobId();
    const discarded = await this.discard(volume, jobId, vfolder);
    const missing = discarded.place === 'nowhere' && !volume.isNoop;
    const earlier = missing ? await findDeletion(volume, vfolder) : undefined;
    if (vfolder.scope === null && missing && !earlier) return null;
    const manifest = { kind: 'delete_vfolder', ...discarded } as const;
    const record =
      earlier ?? newRecord({ id: jobId, volume: name, vfolder: vfolder.toString(), manifest });
    return await this.sweep(volume, record, vfolder.scope === null);
  }

  private async discard(volume: Volume, jobId: JobId, vfolder: VFolderId): Promise<Discarded> {
    if (volume.isNoop) return { place: 'nowhere', inode: null };
    return await volume.withRoot('folder.delete', async (root) => {
      if (vfolder.scope === null) await this.prepareRelease(volume, vfolder);
      try {
        return await discard(root, { jobId, vfolder });
      } catch (error) {
        const vfid = vfolder.toString();
        throw fromSystemError(error, { subject: 'vfolder', volume: volume.name, vfid });
      }
    });
  }

  /** A failure must keep nobody from deleting: what the release cannot prove to be the vfolder's own it leaves. */
  private async prepareRelease(volume: Volume, vfolder: VFolderId): Promise<void> {
    try {
      await volume.strategies.quota.prepareRelease?.(vfolderPath(vfolder));
    } catch (error) {
      this.#log.debug('the quota of a vfolder may stay behind', { err: error });
    }
  }

  private async sweep(volume: Volume, record: Deletion, isAwaited: boolean): Promise<JobId | null> {
    const isRecorded = await this.record(volume, record);
    const task = this.tasks.of(record, { isAwaited, isRecorded });
    this.feed.tell(jobOf(record));
    const { place } = record.manifest;
    const hasJournal = isRecorded || place === 'trash' || place === 'sibling';
    // Without anything that would bring it up again after a crash, the answer waits for the end.
    if (isAwaited || !hasJournal) await this.runner.complete(task);
    else this.runner.submit(task);
    return isAwaited ? null : record.id;
  }

  /** Before the answer, so that any worker can be asked about the job. In a full volume it does without. */
  private async record(volume: Volume, record: Deletion): Promise<boolean> {
    const { place } = record.manifest;
    const durable = place === 'in-place' || place === 'nowhere';
    try {
      await new JobStore(volume).save(record, { durable });
      return true;
    } catch (error) {
      this.#log.warn('job is not recorded', { job: record.id, err: error });
      return false;
    }
  }
}

/** A deletion of this vfolder that was asked for before and has not come to its end. */
async function findDeletion(volume: Volume, vfolder: VFolderId): Promise<Deletion | undefined> {
  const scopeHex = vfolder.scope?.pathname ?? null;
  try {
    for await (const leftover of scanScope(volume.strategies.trees, scopeHex)) {
      const isIt = leftover.kind === 'deletion' && leftover.name.vfolder.folder === vfolder.folder;
      if (!isIt) continue;
      return newRecord({
        id: leftover.name.jobId,
        volume: volume.name,
        vfolder: leftover.name.vfolder.toString(),
        manifest: { kind: 'delete_vfolder', place: leftover.place, inode: null },
      });
    }
  } catch (error) {
    throw fromSystemError(error, { subject: 'volume', volume: volume.name });
  }
  return undefined;
}
