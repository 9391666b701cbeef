import { isStorageError, StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { deleteEntries, deleteTrees, planDeletion } from '../files/delete.js';
import { RelPath } from '../ids/relpath.js';
import { VFolderId, type VFolderRef } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import { isPassing } from './clone-source.js';
import type { LockOutcome } from './job-lock.js';
import { isInode, type DeleteFilesManifest, type JobRecord } from './job-record.js';
import { JobTask, type JobAttempt } from './job-task.js';

type Attempt = JobAttempt<DeleteFilesManifest>;

/**
 * Deletes paths in a vfolder, in the order of the request, each for good: what was deleted before a crash is
 * not looked for again, since somebody may have made it anew.
 */
export class DeleteFilesTask extends JobTask<DeleteFilesManifest> {
  readonly isCancellable = true;
  readonly isJournaled = true;
  readonly #ref: VFolderRef;

  constructor(volume: Volume, record: JobRecord<DeleteFilesManifest>) {
    super(volume, record);
    this.#ref = { volume: volume.name, id: VFolderId.parse(record.vfolder) };
  }

  lock(): Promise<LockOutcome> {
    return this.store.lock(this.record);
  }

  async run(attempt: Attempt): Promise<void> {
    const { manifest } = attempt.record;
    const paths = manifest.relpaths.map((text) => RelPath.parse(text));
    await this.check(attempt, paths);
    attempt.advance({ totalEntries: paths.length, entries: manifest.next });
    for (let at = manifest.next; at < paths.length; at++) {
      attempt.signal.throwIfAborted();
      await this.delete(paths[at]!, manifest.recursive, attempt.signal);
      attempt.note({ next: at + 1 });
      attempt.advance({ entries: at + 1 });
    }
  }

  isWorthRetrying(error: StorageError, failures: number): boolean {
    return isPassing(error, failures);
  }

  /** Nothing is deleted when any of the paths is refused; after a restart that is past. */
  private async check(attempt: Attempt, paths: readonly RelPath[]): Promise<void> {
    const { root, recursive, next } = attempt.record.manifest;
    await this.withVFolder(async (vfolder) => {
      if (!isInode(root, await vfolder.stat())) throw this.replaced();
      if (next === 0) await planDeletion(vfolder, this.#ref, paths, recursive);
    });
  }

  private async delete(path: RelPath, recursive: boolean, signal: AbortSignal): Promise<void> {
    try {
      const trees = await this.withVFolder(async (vfolder) => {
        const plan = await planDeletion(vfolder, this.#ref, [path], recursive);
        await deleteEntries(vfolder, this.#ref, plan.entries);
        return plan.trees;
      });
      await deleteTrees(this.volume, this.#ref, trees, signal);
    } catch (error) {
      // It was there, or need not be, when the job began.
      if (!isStorageError(error, 'NOT_FOUND') || error.details.subject !== 'entry') throw error;
    }
  }

  private withVFolder<T>(work: (vfolder: Beneath) => Promise<T>): Promise<T> {
    return this.volume.io(async () => {
      using vfolder = await this.volume.openVFolder(this.#ref.id);
      return await work(vfolder);
    });
  }

  /** A vfolder that was deleted and made again under the same id is another one. */
  private replaced(): StorageError {
    return new StorageError('NOT_FOUND', 'the vfolder was deleted and made again', {
      subject: 'vfolder',
      volume: this.volume.name,
      vfid: this.#ref.id.toString(),
    });
  }
}
