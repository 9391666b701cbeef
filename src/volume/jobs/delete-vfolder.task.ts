import { VFolderId } from '../ids/vfolder-id.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { Volume } from '../volume.js';
import { lockDirectory, NO_LOCK, type LockOutcome } from './job-lock.js';
import { isInode, type DeleteVFolderManifest, type JobRecord } from './job-record.js';
import { ignoreMissing } from './proxy-files.js';
import { JobTask, type JobAttempt } from './job-task.js';
import { deletionPath, isRealDirectory, removeEmptyPrefixes } from './trash.js';

/**
 * Sweeps a vfolder that was moved to the trash. The emptied directory stays until the end is published:
 * it is the journal, and what brings the job up again after a crash.
 *
 * It is past its point of no return when it is made, and it is retried for ever: a manager does nothing
 * useful with a failed deletion (protocol section 8.6).
 */
export class DeleteVFolderTask extends JobTask<DeleteVFolderManifest> {
  readonly isCancellable = false;
  readonly isJournaled: boolean;
  readonly #vfolder: VFolderId;
  readonly #path: Buffer;

  constructor(
    volume: Volume,
    record: JobRecord<DeleteVFolderManifest>,
    { isRecorded = true } = {},
  ) {
    super(volume, record);
    const { place } = record.manifest;
    this.isJournaled = place === 'in-place' && isRecorded;
    this.#vfolder = VFolderId.parse(record.vfolder);
    this.#path = deletionPath({ jobId: record.id, vfolder: this.#vfolder }, place);
  }

  async lock(): Promise<LockOutcome> {
    if (this.record.manifest.place === 'in-place') {
      return this.isJournaled ? await this.store.lock(this.record) : NO_LOCK;
    }
    if (this.record.takeovers > 0) return await this.lockAfterTakeover();
    return await this.withRoot(async (root) => {
      try {
        return await lockDirectory(root, this.#path);
      } catch (error) {
        // A link or a file that an operator put in the vfolder's place.
        if (isErrno(error, Errno.ENOTDIR, Errno.ELOOP)) return NO_LOCK;
        throw error;
      }
    });
  }

  /** The directory's own lock may still be that of a dead host. */
  private async lockAfterTakeover(): Promise<LockOutcome> {
    const lock = await this.store.lock(this.record);
    if (typeof lock === 'string') return lock;
    const isThere = await this.withRoot((root) => ignoreMissing(root.lstat(this.#path))).catch(
      async (error: unknown) => {
        await lock.release();
        throw error;
      },
    );
    if (isThere) return lock;
    await lock.release();
    return 'gone';
  }

  async run(attempt: JobAttempt<DeleteVFolderManifest>): Promise<void> {
    if (await this.isToBeRemoved()) await this.sweep(attempt);
    await this.withRoot((root) => removeEmptyPrefixes(root, this.#vfolder));
  }

  override async finish(): Promise<void> {
    if (this.record.manifest.place === 'in-place') return;
    await this.volume.strategies.trees.remove({ path: this.#path });
  }

  isWorthRetrying(): boolean {
    return true;
  }

  /** What was left in place may be somebody's new vfolder by now. */
  private async isToBeRemoved(): Promise<boolean> {
    const { place, inode } = this.record.manifest;
    if (place !== 'in-place') return true;
    return await this.withRoot(async (root) => {
      try {
        return isInode(inode, await root.lstat(this.#path));
      } catch (error) {
        if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) return false;
        throw error;
      }
    });
  }

  private async sweep(attempt: JobAttempt<DeleteVFolderManifest>): Promise<void> {
    const { place } = this.record.manifest;
    if (!(await this.withRoot((root) => isRealDirectory(root, this.#path)))) {
      return await this.withRoot((root) => unlinkIfThere(root, this.#path));
    }
    await this.volume.strategies.trees.remove(
      { path: this.#path },
      {
        // What is in the trash is the journal; and a quota is released while its directory is there.
        keepDirectory: place !== 'in-place' || this.hasOwnQuota,
        signal: attempt.signal,
        onProgress: ({ entries, bytes }) => attempt.advance({ entries, bytes }),
      },
    );
    if (!this.hasOwnQuota) return;
    await this.volume.strategies.quota.releaseVFolder(this.#path);
    if (place === 'in-place') await this.volume.strategies.trees.remove({ path: this.#path });
  }

  /** That of a scoped id belongs to the scope. */
  private get hasOwnQuota(): boolean {
    return this.#vfolder.scope === null;
  }

  private withRoot<T>(work: (root: Beneath) => Promise<T>): Promise<T> {
    return this.volume.io(async () => {
      using root = await this.volume.openRoot();
      return await work(root);
    });
  }
}

async function unlinkIfThere(root: Beneath, path: Buffer): Promise<void> {
  try {
    await root.unlink(path);
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT)) throw error;
  }
}
