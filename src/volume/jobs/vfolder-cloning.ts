import { Injectable } from '@nestjs/common';
import { fromSystemError } from '../../errors/from-system-error.js';
import { StorageError } from '../../errors/storage-error.js';
import { isDirectory, type Stat } from '../../native/stat.js';
import type { VFolderId, VFolderRef } from '../ids/vfolder-id.js';
import { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { destinationTaken, statVFolder } from './clone-placement.js';
import { isEnd, newJobId, type JobId } from './job.js';
import { JobFeed } from './job-feed.js';
import {
  isInode,
  isKind,
  jobOf,
  newRecord,
  type CloneVFolderManifest,
  type JobRecord,
} from './job-record.js';
import { JobRunner } from './job-runner.js';
import { JobStore } from './job-store.js';
import { JobTasks } from './job-tasks.js';

type Clone = JobRecord<CloneVFolderManifest>;

const HERE = Buffer.from('.');
/** Reservations of ended jobs that are found in the way, one after another. */
const MAX_STALE_CLAIMS = 5;

/** Takes requests to clone vfolders. */
@Injectable()
export class VFolderCloning {
  constructor(
    private readonly registry: VolumeRegistry,
    private readonly tasks: JobTasks,
    private readonly runner: JobRunner,
    private readonly feed: JobFeed,
  ) {}

  /**
   * Clones to a scoped id by a job, whose id comes back; to an unscoped one before this resolves, with `null`.
   * The volumes may differ. An equal request finds the job of the first, also when that is done.
   *
   * @throws StorageError NOT_FOUND with subject `vfolder` for the source; for scoped ids ALREADY_EXISTS when
   *   the destination is not empty; for unscoped ones NO_SPACE and whatever else the copy fails with
   */
  async clone(source: VFolderRef, destination: VFolderRef): Promise<JobId | null> {
    const from = this.registry.get(source.volume);
    const to = this.registry.get(destination.volume);
    assertDifferent(source, destination);
    const record = newRecord({
      id: newJobId(),
      volume: to.name,
      vfolder: destination.id.toString(),
      source: { volume: from.name, vfolder: source.id.toString() },
      manifest: { kind: 'clone_vfolder', staging: null },
    });
    const isAwaited = destination.id.scope === null;
    if (from.isNoop !== to.isNoop) throw betweenNoop(from.isNoop ? from : to);
    if (!from.isNoop) {
      await from.withVFolder('folder.clone', source.id, async () => undefined);
      const earlier = isAwaited ? undefined : await this.register(to, destination.id, record);
      if (earlier) return earlier;
    }
    return await this.start(record, isAwaited);
  }

  private async start(record: Clone, isAwaited: boolean): Promise<JobId | null> {
    const task = this.tasks.of(record, { isAwaited });
    this.feed.tell(jobOf(record));
    if (isAwaited) await this.runner.complete(task);
    else this.runner.submit(task);
    return isAwaited ? null : record.id;
  }

  /**
   * Writes the record, then reserves the destination, so that of several requests one makes the clone. The id
   * of an earlier job that does what this one is to do.
   */
  private async register(volume: Volume, id: VFolderId, record: Clone): Promise<JobId | undefined> {
    const store = new JobStore(volume);
    try {
      await this.assertVacant(store, id, record);
      await store.save(record, { durable: true });
      for (let attempt = 0; attempt < MAX_STALE_CLAIMS; attempt++) {
        const holder = await store.claimDestination(id, record.id);
        if (holder === record.id) return undefined;
        const earlier = await this.equalJob(store, id, record, holder);
        if (earlier) {
          await store.remove(record.id);
          return earlier;
        }
        await store.releaseDestination(id, holder);
      }
      throw destinationTaken(id);
    } catch (error) {
      await store.remove(record.id).catch(() => undefined);
      throw fromSystemError(error, { volume: volume.name, vfid: id.toString() });
    }
  }

  /** Tells a request that cannot succeed before anything is written; the rename decides in the end. */
  private async assertVacant(store: JobStore, id: VFolderId, record: Clone): Promise<void> {
    const { volume } = store;
    const stat = await volume.withRoot('folder.clone', (root) => statVFolder(root, id));
    if (stat === undefined || (await isEmpty(volume, id, stat))) return;
    const holder = await store.destinationClaim(id);
    if (holder && (await this.equalJob(store, id, record, holder))) return;
    throw destinationTaken(id);
  }

  /**
   * The id of the holder if it does, or did, the same as `record` is to do; `undefined` when it is of no
   * account any more.
   *
   * @throws StorageError ALREADY_EXISTS when another clone is being made there
   */
  private async equalJob(
    store: JobStore,
    id: VFolderId,
    record: Clone,
    holderId: JobId,
  ): Promise<JobId | undefined> {
    const holder = await store.read(holderId);
    if (holder === undefined || !isKind(holder, 'clone_vfolder')) return undefined;
    const isSame =
      holder.vfolder === record.vfolder &&
      holder.source?.volume === record.source?.volume &&
      holder.source?.vfolder === record.source?.vfolder;
    if (!isEnd(holder.state)) {
      if (isSame) return holder.id;
      throw destinationTaken(id);
    }
    if (!isSame || holder.state !== 'done') return undefined;
    const stat = await store.volume.withRoot('folder.clone', (root) => statVFolder(root, id));
    return stat && isInode(holder.manifest.staging, stat) ? holder.id : undefined;
  }
}

async function isEmpty(volume: Volume, id: VFolderId, stat: Stat): Promise<boolean> {
  if (!isDirectory(stat)) return false;
  const { trees } = volume.strategies;
  const { entries } = await trees.list(volume.locate(id), HERE, { limit: 1 });
  return entries.length === 0;
}

function assertDifferent(source: VFolderRef, destination: VFolderRef): void {
  if (source.volume !== destination.volume || !source.id.equals(destination.id)) return;
  throw new StorageError('INVALID_ARGUMENT', 'a vfolder cannot be cloned to itself', {
    subject: 'request',
    data: { dst_vfid: 'is the vfolder to be cloned' },
  });
}

function betweenNoop({ name }: Volume): StorageError {
  return new StorageError('UNSUPPORTED', 'nothing can be cloned to or from the noop volume', {
    subject: 'volume',
    volume: name,
  });
}
