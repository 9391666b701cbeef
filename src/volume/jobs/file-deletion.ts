import { Injectable } from '@nestjs/common';
import { fromSystemError } from '../../errors/from-system-error.js';
import { assertNotReserved, outsideVFolder } from '../files/entry-error.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { VolumeRegistry } from '../volume-registry.js';
import { newJobId, type JobId } from './job.js';
import { JobFeed } from './job-feed.js';
import { inodeId, jobOf, newRecord } from './job-record.js';
import { JobRunner } from './job-runner.js';
import { JobStore } from './job-store.js';
import { JobTasks } from './job-tasks.js';

/** Takes requests to delete entries of a vfolder by a job. */
@Injectable()
export class FileDeletionJobs {
  constructor(
    private readonly registry: VolumeRegistry,
    private readonly tasks: JobTasks,
    private readonly runner: JobRunner,
    private readonly feed: JobFeed,
  ) {}

  /**
   * The same as a deletion of files that is waited for, by a job whose id comes back. What is wrong with the
   * request is told at once, what the paths lead to by the job.
   *
   * @throws StorageError OUTSIDE_VFOLDER for the vfolder itself; NOT_FOUND with subject `vfolder`; NO_SPACE or QUOTA_EXCEEDED when the volume has no
   *   room for the job's record: delete without a job then
   */
  async start(ref: VFolderRef, paths: readonly RelPath[], recursive: boolean): Promise<JobId> {
    const volume = this.registry.get(ref.volume);
    for (const path of paths) {
      if (path.isRoot) throw outsideVFolder(ref, path);
      assertNotReserved(ref, path);
    }
    const root = volume.isNoop
      ? { dev: '0', ino: '0' }
      : await volume.withVFolder('file.delete-async', ref.id, async (vfolder) =>
          inodeId(await vfolder.stat()),
        );
    const record = newRecord({
      id: newJobId(),
      volume: volume.name,
      vfolder: ref.id.toString(),
      manifest: {
        kind: 'delete_files',
        relpaths: paths.map((path) => path.toString()),
        recursive,
        next: 0,
        root,
      },
    });
    try {
      await new JobStore(volume).save(record, { durable: true });
    } catch (error) {
      throw fromSystemError(error, { volume: volume.name, vfid: record.vfolder });
    }
    this.feed.tell(jobOf(record));
    this.runner.submit(this.tasks.of(record));
    return record.id;
  }
}
