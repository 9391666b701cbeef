import { Injectable } from '@nestjs/common';
import { isStorageError } from '../../errors/storage-error.js';
import type { QuotaScopeId } from '../ids/quota-scope-id.js';
import { VFolderId } from '../ids/vfolder-id.js';
import { QuotaScopes } from '../quota-scopes.js';
import { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { CloneSource } from './clone-source.js';
import { CloneVFolderTask } from './clone-vfolder.task.js';
import { DeleteFilesTask } from './delete-files.task.js';
import { DeleteVFolderTask } from './delete-vfolder.task.js';
import { FillVFolderTask } from './fill-vfolder.task.js';
import { isKind, type CloneVFolderManifest, type JobRecord } from './job-record.js';
import { NothingToDo, type JobTask } from './job-task.js';

export interface TaskOptions {
  /** Whether a request waits for the job. */
  readonly isAwaited?: boolean;
  /** False when its record could not be written, so that only this process knows of it. */
  readonly isRecorded?: boolean;
}

/** Makes the work of a job from its record: that of a new one, or one found on a volume after a restart. */
@Injectable()
export class JobTasks {
  constructor(
    private readonly registry: VolumeRegistry,
    private readonly quotaScopes: QuotaScopes,
  ) {}

  of(record: JobRecord, options: TaskOptions = {}): JobTask {
    const volume = this.registry.get(record.volume);
    if (volume.isNoop) return new NothingToDo(volume, record);
    if (isKind(record, 'delete_vfolder')) {
      if (record.manifest.place === 'nowhere') return new NothingToDo(volume, record);
      return new DeleteVFolderTask(volume, record, { isRecorded: options.isRecorded ?? true });
    }
    if (isKind(record, 'clone_vfolder')) return this.clone(volume, record, options);
    if (isKind(record, 'delete_files')) return new DeleteFilesTask(volume, record);
    throw new TypeError(`no work is known for jobs of kind ${record.kind}`);
  }

  private clone(
    volume: Volume,
    record: JobRecord<CloneVFolderManifest>,
    { isAwaited = false }: TaskOptions,
  ): JobTask {
    const source = new CloneSource(this.registry, record.source!);
    if (VFolderId.parse(record.vfolder).scope === null) {
      return new FillVFolderTask(volume, record, source, isAwaited);
    }
    return new CloneVFolderTask(volume, record, source, this.ensureScope);
  }

  private readonly ensureScope = async (volume: Volume, scope: QuotaScopeId): Promise<void> => {
    try {
      await this.quotaScopes.create(volume.name, scope, null);
    } catch (error) {
      if (!isStorageError(error, 'ALREADY_EXISTS')) throw error;
    }
  };
}
