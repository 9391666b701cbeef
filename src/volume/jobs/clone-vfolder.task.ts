import type { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import type { Stat } from '../../native/stat.js';
import { tellingFullQuota } from '../full-quota.js';
import type { QuotaScopeId } from '../ids/quota-scope-id.js';
import { VFolderId } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import {
  copyMode,
  makeStaging,
  placeClone,
  statVFolder,
  syncPlacement,
} from './clone-placement.js';
import { isPassing, type CloneSource } from './clone-source.js';
import { CloneStaging } from './clone-staging.js';
import type { LockOutcome } from './job-lock.js';
import { inodeId, isInode, type CloneVFolderManifest, type JobRecord } from './job-record.js';
import { JobTask, type JobAttempt } from './job-task.js';

/** Makes a missing quota scope, without a limit. */
export type EnsureScope = (volume: Volume, scope: QuotaScopeId) => Promise<void>;

/**
 * Clones a vfolder to a scoped id: into a staging directory of the destination's scope, which is renamed into
 * place when it is whole. So the destination is there whole or not at all, and an attempt that was cut short
 * is gone on with; after a takeover it is begun anew, since the host before may only be slow.
 */
export class CloneVFolderTask extends JobTask<CloneVFolderManifest> {
  readonly isCancellable = true;
  readonly isJournaled = true;
  readonly #destination: VFolderId;
  readonly #scope: QuotaScopeId;
  readonly #staging: CloneStaging;

  constructor(
    volume: Volume,
    record: JobRecord<CloneVFolderManifest>,
    private readonly source: CloneSource,
    private readonly ensureScope: EnsureScope,
  ) {
    super(volume, record);
    this.#destination = VFolderId.parse(record.vfolder);
    this.#scope = this.#destination.scope!;
    this.#staging = new CloneStaging(volume, this.#scope, record);
  }

  lock(): Promise<LockOutcome> {
    return this.store.lock(this.record);
  }

  async run(attempt: JobAttempt<CloneVFolderManifest>): Promise<void> {
    await this.withRoot((root) => this.#staging.discardPredecessors(root));
    if (await this.isInPlace(attempt.record)) {
      return await this.withRoot((root) => syncPlacement(root, this.#destination));
    }
    await tellingFullQuota(this.volume, this.#destination, () => this.make(attempt));
  }

  private async make(attempt: JobAttempt<CloneVFolderManifest>): Promise<void> {
    const like = await this.source.stat();
    await this.ensureScope(this.volume, this.#scope);
    await this.#staging.removeDiscarded();
    await this.stage(attempt);
    await this.source.measure(attempt, {
      volume: this.volume,
      id: this.#destination,
      staged: this.#staging.path,
    });
    await this.source.copyTo(attempt, this.volume, { path: this.#staging.path });
    await attempt.assertOurs();
    await this.place(like);
  }

  /** The reservation stays: once the end is on record it counts for nothing, and the next clone takes it over. */
  override async undo(): Promise<void> {
    await this.#staging.removeAll();
  }

  isWorthRetrying(error: StorageError, failures: number): boolean {
    return isPassing(error, failures);
  }

  /** The inode is written down before it can be renamed, so that a crash after that is told from a failure. */
  private async stage(attempt: JobAttempt<CloneVFolderManifest>): Promise<void> {
    const stat = await this.withRoot((root) => makeStaging(root, this.#scope, this.#staging.path));
    if (isInode(attempt.record.manifest.staging, stat)) return;
    await attempt.checkpoint({ staging: inodeId(stat) });
  }

  private async place(like: Stat): Promise<void> {
    await this.withRoot(async (root) => {
      await copyMode(root, this.#staging.path, like);
      await placeClone(root, this.#staging.path, this.#destination);
    });
  }

  private async isInPlace({ manifest }: JobRecord<CloneVFolderManifest>): Promise<boolean> {
    const stat = await this.withRoot((root) => statVFolder(root, this.#destination));
    return stat !== undefined && isInode(manifest.staging, stat);
  }

  private withRoot<T>(work: (root: Beneath) => Promise<T>): Promise<T> {
    return this.volume.io(async () => {
      using root = await this.volume.openRoot();
      return await work(root);
    });
  }
}
