import { Inject, Injectable } from '@nestjs/common';
import type { TreeUsage } from '../backend/contract/tree-operations.js';
import { fromSystemError } from '../errors/from-system-error.js';
import { isStorageError, StorageError } from '../errors/storage-error.js';
import type { Beneath } from '../native/beneath.js';
import { Errno, isErrno } from '../native/errno.js';
import { DOMAIN_SETTINGS, type DomainSettings } from './domain-settings.js';
import { tellingFullQuota } from './full-quota.js';
import { scopePath, VFOLDER_MODE, vfolderPathInScope } from './ids/layout.js';
import { RelPath } from './ids/relpath.js';
import type { VFolderRef } from './ids/vfolder-id.js';
import type { JobId } from './jobs/job.js';
import { VFolderCloning } from './jobs/vfolder-cloning.js';
import { VFolderDeletion } from './jobs/vfolder-deletion.js';
import { QuotaScopes } from './quota-scopes.js';
import { UsageWalks } from './usage-walks.js';
import { applyMode, makeVFolderDirectory } from './vfolder-directory.js';
import { VolumeRegistry } from './volume-registry.js';
import { vfolderError, type Volume } from './volume.js';

export interface CreateOptions {
  /** Permission bits, applied exactly; 0755 less the umask when left out. */
  readonly mode?: number;
  /** Limit of the quota scope if it has to be made; `null` or 0 means none. */
  readonly initialScopeLimitBytes?: number | null;
  /** Limit of the vfolder itself, for unscoped ids. Without effect where the backend has no such limits. */
  readonly quotaBytes?: number | null;
}

const MAX_MODE = 0o7777;
const HERE = Buffer.from('.');

/** Vfolders as a whole. What happens inside one is in `files/`. */
@Injectable()
export class VFolders {
  readonly #usageWalks: UsageWalks;

  constructor(
    private readonly registry: VolumeRegistry,
    private readonly quotaScopes: QuotaScopes,
    @Inject(DOMAIN_SETTINGS) settings: DomainSettings,
    private readonly deletion: VFolderDeletion,
    private readonly cloning: VFolderCloning,
  ) {
    this.#usageWalks = new UsageWalks(settings.usageDeadlineMs);
  }

  /**
   * Makes an empty vfolder. Managers repeat a request whose answer was lost, so one that is there and empty
   * is success.
   *
   * @throws StorageError ALREADY_EXISTS when it holds something; NOT_FOUND with subject `quota-scope` when
   *   the scope is missing and may not be made
   */
  async create(ref: VFolderRef, options: CreateOptions = {}): Promise<void> {
    assertMode(options.mode);
    const volume = this.registry.get(ref.volume);
    await volume.withRoot('folder.create', async (root) => {
      try {
        await tellingFullQuota(volume, ref.id, () =>
          ref.id.scope === null
            ? this.createUnscoped(volume, root, ref, options)
            : this.createScoped(volume, root, ref, options),
        );
      } catch (error) {
        throw fromSystemError(error, {
          subject: 'entry',
          volume: ref.volume,
          vfid: ref.id.toString(),
        });
      }
    });
  }

  /** See {@link VFolderDeletion.delete}: the job that sweeps a scoped id's content, `null` for unscoped ids. */
  delete(ref: VFolderRef): Promise<JobId | null> {
    return this.deletion.delete(ref);
  }

  /** See {@link VFolderCloning.clone}: the job that clones to a scoped id, `null` for unscoped ids. */
  clone(source: VFolderRef, destination: VFolderRef): Promise<JobId | null> {
    return this.cloning.clone(source, destination);
  }

  /**
   * Absolute path of the vfolder on this host, links resolved. `subpath` is only checked: it must stay
   * inside, but need not exist (protocol section 3.6).
   *
   * @throws StorageError NOT_FOUND with subject `vfolder`; OUTSIDE_VFOLDER with `vfid` and `subpath`
   */
  async mountPath(ref: VFolderRef, subpath: string): Promise<string> {
    const volume = this.registry.get(ref.volume);
    return await volume.withVFolder('folder.mount', ref.id, async (vfolder) => {
      await assertInside(vfolder, ref, subpath);
      return (await vfolder.realPath()).toString();
    });
  }

  /**
   * Counts everything below the vfolder but running uploads, as far as the filesystem's own counters tell them apart;
   * links count as themselves. Bytes are the sum of sizes: not a rounded number, nor allocated blocks. With
   * `lagSeconds` the figures are so far behind at most.
   */
  async usage(ref: VFolderRef): Promise<TreeUsage> {
    const volume = this.registry.get(ref.volume);
    try {
      return await this.#usageWalks.walk(volume, ref.id);
    } catch (error) {
      throw vfolderError(error, ref.volume, ref.id);
    }
  }

  /**
   * Limit of an unscoped vfolder in bytes; what the volume holds, when none is set.
   *
   * @throws StorageError UNSUPPORTED for scoped ids and where the backend has no such limits
   */
  async quota(ref: VFolderRef): Promise<number> {
    const volume = this.quotaVolume(ref);
    return await volume.run('volume.quota.read', async () => {
      const { quota, telemetry } = volume.strategies;
      await assertVFolder(volume, ref);
      const { limitBytes } = await quota.describeVFolder(volume.locate(ref.id).path);
      return limitBytes ?? (await telemetry.capacity()).capacityBytes;
    });
  }

  /** @throws StorageError UNSUPPORTED for scoped ids and where the backend has no such limits */
  async setQuota(ref: VFolderRef, bytes: number): Promise<void> {
    const volume = this.quotaVolume(ref);
    await volume.run('volume.quota.update', async () => {
      await assertVFolder(volume, ref);
      await volume.strategies.quota.updateVFolder(volume.locate(ref.id).path, bytes);
    });
  }

  private async createScoped(
    volume: Volume,
    root: Beneath,
    { id }: VFolderRef,
    options: CreateOptions,
  ): Promise<void> {
    const scope = id.scope!;
    // 0 has always meant "no limit" here (protocol section 3.5).
    const limitBytes = options.initialScopeLimitBytes || null;
    await this.quotaScopes.ensure(volume, root, scope, limitBytes);
    using base = await root.descend(scopePath(scope));
    await makeEmpty(volume, base, id, options.mode);
  }

  private async createUnscoped(
    volume: Volume,
    root: Beneath,
    { id }: VFolderRef,
    options: CreateOptions,
  ): Promise<void> {
    const made = await makeEmpty(volume, root, id, options.mode);
    const { path } = volume.locate(id);
    const { quota } = volume.strategies;
    try {
      await quota.initialiseVFolder(path, options.quotaBytes ?? null);
    } catch (error) {
      // Without its limit the vfolder must not stay; the failure is reported, not that of the clean-up.
      if (made) {
        await quota.releaseVFolder(path).catch(() => undefined);
        await root.rmdir(path).catch(() => undefined);
      }
      throw error;
    }
  }

  private quotaVolume(ref: VFolderRef): Volume {
    const volume = this.registry.get(ref.volume);
    const { enforcesVFolders } = volume.strategies.quota;
    if (enforcesVFolders && ref.id.scope === null) return volume;
    throw new StorageError('UNSUPPORTED', 'this volume has no limits for single vfolders', {
      subject: 'volume',
      volume: ref.volume,
    });
  }
}

/** True when it was made, false when it was there and empty. */
async function makeEmpty(
  volume: Volume,
  base: Beneath,
  id: VFolderRef['id'],
  mode = VFOLDER_MODE,
): Promise<boolean> {
  const path = vfolderPathInScope(id);
  if (await makeVFolderDirectory(base, path, mode)) return true;
  if (!(await isEmptyDirectory(volume, id))) {
    throw new StorageError('ALREADY_EXISTS', `VFolder exists and is not empty: ${id.toString()}`, {
      subject: 'vfolder',
      volume: volume.name,
      vfid: id.toString(),
    });
  }
  await applyMode(base, path, mode);
  return false;
}

async function isEmptyDirectory(volume: Volume, id: VFolderRef['id']): Promise<boolean> {
  try {
    const { trees } = volume.strategies;
    const { entries } = await trees.list(volume.locate(id), HERE, { limit: 1 });
    return entries.length === 0;
  } catch (error) {
    if (isErrno(error, Errno.ENOTDIR)) return false;
    throw error;
  }
}

async function assertVFolder(volume: Volume, { id }: VFolderRef): Promise<void> {
  (await volume.openVFolder(id)).close();
}

async function assertInside(vfolder: Beneath, ref: VFolderRef, subpath: string): Promise<void> {
  const details = { subject: 'entry', vfid: ref.id.toString(), subpath } as const;
  const outside = (): StorageError => new StorageError('OUTSIDE_VFOLDER', undefined, details);
  if (subpath.startsWith('/')) throw outside();
  try {
    await vfolder.followedStat(RelPath.parse(subpath).toBytes());
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) return;
    if (isErrno(error, Errno.EXDEV, Errno.ELOOP)) throw outside();
    if (isStorageError(error, 'OUTSIDE_VFOLDER')) throw outside();
    throw fromSystemError(error, details);
  }
}

function assertMode(mode: number | undefined): void {
  if (mode === undefined || (Number.isInteger(mode) && mode >= 0 && mode <= MAX_MODE)) return;
  const reason = 'must be permission bits, 0 to 4095';
  throw new StorageError('INVALID_ARGUMENT', `mode: ${reason}`, {
    subject: 'request',
    data: { mode: reason },
  });
}
