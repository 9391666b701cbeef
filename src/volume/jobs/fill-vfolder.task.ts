import { StorageError } from '../../errors/storage-error.js';
import { tellingFullQuota } from '../full-quota.js';
import { VFOLDER_MODE, vfolderPath } from '../ids/layout.js';
import { VFolderId } from '../ids/vfolder-id.js';
import { makeVFolderDirectory } from '../vfolder-directory.js';
import type { Volume } from '../volume.js';
import type { CloneSource } from './clone-source.js';
import type { LockOutcome } from './job-lock.js';
import type { CloneVFolderManifest, JobRecord } from './job-record.js';
import { JobTask, type JobAttempt } from './job-task.js';

/**
 * Clones a vfolder to an unscoped id, whose manager has made the destination before and waits for the answer:
 * what is missing there is filled in, entry by entry, and a repeated request completes what one before began.
 *
 * Nobody waits for it after a restart, and its manager may have given the destination up: then it fails
 * instead of going on. What was copied stays, since it may have stood among data that was there before.
 */
export class FillVFolderTask extends JobTask<CloneVFolderManifest> {
  readonly isCancellable = true;
  /** It is recorded while it runs, for others to see, and has nothing to be resumed from. */
  readonly isJournaled = false;
  readonly #destination: VFolderId;

  constructor(
    volume: Volume,
    record: JobRecord<CloneVFolderManifest>,
    private readonly source: CloneSource,
    private readonly isAwaited: boolean,
  ) {
    super(volume, record);
    this.#destination = VFolderId.parse(record.vfolder);
  }

  lock(): Promise<LockOutcome> {
    return this.store.lock(this.record);
  }

  async run(attempt: JobAttempt<CloneVFolderManifest>): Promise<void> {
    if (!this.isAwaited) {
      throw new StorageError('UNAVAILABLE', 'the proxy stopped while the folder was cloned', {
        subject: 'volume',
        volume: this.volume.name,
      });
    }
    await tellingFullQuota(this.volume, this.#destination, () => this.fill(attempt));
  }

  private async fill(attempt: JobAttempt<CloneVFolderManifest>): Promise<void> {
    await this.source.stat();
    await this.makeDestination();
    const path = vfolderPath(this.#destination);
    await this.source.measure(attempt, {
      volume: this.volume,
      id: this.#destination,
      staged: path,
    });
    await this.source.copyTo(attempt, this.volume, { path });
  }

  isWorthRetrying(): boolean {
    return false;
  }

  private async makeDestination(): Promise<void> {
    const path = vfolderPath(this.#destination);
    await this.volume.io(async () => {
      using root = await this.volume.openRoot();
      if (!(await makeVFolderDirectory(root, path, VFOLDER_MODE))) return;
      await this.volume.strategies.quota.initialiseVFolder(path, null);
    });
  }
}
