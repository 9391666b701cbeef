import type { TreeUsage } from '../../backend/contract/tree-operations.js';
import type { TreeLocation } from '../../backend/contract/tree-task.js';
import { isStorageError, type StorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { Stat } from '../../native/stat.js';
import { UPLOAD_DIRECTORY, vfolderPath } from '../ids/layout.js';
import { VFolderId } from '../ids/vfolder-id.js';
import type { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { assertSpace, cloneableUsage } from './clone-space.js';
import type { JobFolder } from './job.js';
import type { CloneVFolderManifest } from './job-record.js';
import type { JobAttempt } from './job-task.js';

/** With the delays of `retry.ts`, about an hour of a volume that does not answer. */
const MAX_FAILURES = 20;

/** The vfolder a clone is made of. */
export class CloneSource {
  readonly #id: VFolderId;

  constructor(
    private readonly registry: VolumeRegistry,
    private readonly source: JobFolder,
  ) {
    this.#id = VFolderId.parse(source.vfolder);
  }

  /** @throws StorageError NOT_FOUND with subject `vfolder` */
  async stat(): Promise<Stat> {
    const volume = this.volume;
    return await volume.io(async () => {
      using vfolder = await volume.openVFolder(this.#id);
      return await vfolder.stat();
    });
  }

  /**
   * Notes how much there is to copy, and refuses when it does not fit. What an earlier attempt has copied to
   * `staged` has its room already.
   */
  async measure(
    attempt: JobAttempt<CloneVFolderManifest>,
    destination: { volume: Volume; id: VFolderId; staged: Buffer },
  ): Promise<void> {
    const { fileCount, usedBytes } = await cloneableUsage(this.volume, this.#id, attempt.signal);
    attempt.advance({ totalEntries: fileCount, totalBytes: usedBytes });
    const staged = await usageIfThere(destination.volume, destination.staged, attempt.signal);
    const neededBytes = usedBytes - (staged?.usedBytes ?? 0);
    if (neededBytes > 0) await assertSpace(destination.volume, destination.id, neededBytes);
  }

  /** Copies everything but unfinished uploads; what is there already is not copied again. */
  async copyTo(
    attempt: JobAttempt<CloneVFolderManifest>,
    destination: Volume,
    location: TreeLocation,
  ): Promise<void> {
    const { volume } = this;
    const elsewhere =
      volume === destination ? {} : { destinationVolumePath: destination.settings.path };
    await volume.strategies.trees.copy({ path: vfolderPath(this.#id) }, location, {
      ...elsewhere,
      durable: true,
      omit: [Buffer.from(UPLOAD_DIRECTORY)],
      signal: attempt.signal,
      onProgress: ({ entries, bytes }) => attempt.advance({ entries, bytes }),
    });
  }

  private get volume(): Volume {
    return this.registry.get(this.source.volume);
  }
}

/** A volume that does not answer may come back; everything else stays as it is. */
export function isPassing(error: StorageError, failures: number): boolean {
  return failures <= MAX_FAILURES && isStorageError(error, 'UNAVAILABLE', 'LOCKED');
}

async function usageIfThere(
  volume: Volume,
  path: Buffer,
  signal: AbortSignal,
): Promise<TreeUsage | undefined> {
  try {
    return await volume.strategies.trees.usage({ path }, { signal });
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) return undefined;
    throw error;
  }
}
