import type { VolumeSettings, VolumeStrategies } from '../backend/contract/backend.js';
import type { TreeLocation } from '../backend/contract/tree-task.js';
import { fromSystemError } from '../errors/from-system-error.js';
import { StorageError } from '../errors/storage-error.js';
import { Beneath } from '../native/beneath.js';
import { Errno, isErrno } from '../native/errno.js';
import { isSameInode, type Stat } from '../native/stat.js';
import { Bulkhead, type BulkheadOptions } from './bulkhead.js';
import { tellingFullQuota } from './full-quota.js';
import { vfolderLocation } from './ids/layout.js';
import type { VFolderId } from './ids/vfolder-id.js';
import type { LayoutVersion } from './layout-marker.js';

/** Name of the built-in volume, and of the backend, on which everything succeeds and nothing happens. */
export const NOOP = 'noop';

/** What the mount path was when the volume was opened, to notice that something else is mounted there now. */
type VolumeIdentity = Pick<Stat, 'dev' | 'ino'>;

export type VolumeState =
  | {
      readonly kind: 'open';
      readonly strategies: VolumeStrategies;
      /** `null` for the noop volume, which has no directory. */
      readonly identity: VolumeIdentity | null;
      readonly layout: LayoutVersion | null;
      /** Whether its filesystem answers from memory without waiting for anybody, see native/at-once.ts. */
      readonly atOnce: boolean;
    }
  | { readonly kind: 'opening' | 'unavailable' | 'closed'; readonly reason: string };

export interface VolumeOptions {
  readonly operationDeadlineMs: number;
  readonly bulkheadShare: number;
  readonly bulkhead?: BulkheadOptions;
  /** Told when the mount path no longer is what was opened: unmounted, remounted, or dead. */
  readonly onLost?: (reason: string) => void;
}

/** The mount path answers like this when what was mounted there is gone or dead. */
const LOST = [
  Errno.ENOENT,
  Errno.ENOTDIR,
  Errno.EIO,
  Errno.ESTALE,
  Errno.ENOTCONN,
  Errno.ECONNABORTED,
  Errno.ESHUTDOWN,
  Errno.ENODEV,
];

/** One configured volume as the services see it: its strategies, its share of the process, its folders. */
export class Volume {
  readonly name: string;
  readonly isNoop: boolean;
  readonly bulkhead: Bulkhead;
  #state: VolumeState = { kind: 'opening', reason: 'it is being opened' };
  #hung: string | null = null;
  readonly #hungListeners = new Set<(refusal: StorageError) => void>();

  constructor(
    readonly settings: VolumeSettings,
    private readonly options: VolumeOptions,
  ) {
    this.name = settings.name;
    this.isNoop = settings.backend === NOOP;
    this.bulkhead = new Bulkhead(settings.name, options.bulkheadShare, options.bulkhead);
  }

  /**
   * What the backend does better than POSIX, or the defaults.
   *
   * @throws StorageError UNAVAILABLE, the reason as its cause, while the volume is not usable
   */
  get strategies(): VolumeStrategies {
    if (this.#hung !== null) throw this.unavailable(this.#hung);
    const state = this.#state;
    if (state.kind === 'open') return state.strategies;
    throw this.unavailable(state.reason, state.kind === 'opening' ? 'not-ready' : undefined);
  }

  get state(): VolumeState {
    return this.#state;
  }

  /** Why its requests are refused at once, when the health probe found it hanging. */
  get hung(): string | null {
    return this.#hung;
  }

  /** Whether what it has in memory can be asked for without waiting, see native/at-once.ts. */
  get answersAtOnce(): boolean {
    return this.#state.kind === 'open' && this.#state.atOnce;
  }

  get isUsable(): boolean {
    return this.#state.kind === 'open' && this.#hung === null;
  }

  /** For the registry, which alone moves a volume from state to state. */
  become(state: VolumeState): void {
    this.#state = state;
  }

  /** What the health probe found: while the volume hangs its requests are refused at once instead of hanging too. */
  markHung(reason: string | null): void {
    this.#hung = reason;
    if (reason === null) return;
    for (const listener of this.#hungListeners) listener(this.unavailable(reason));
  }

  /**
   * Tells work that may rightly take longer than the probe waits that it waits for a hanging volume.
   * Returns the way to stop listening.
   */
  onHung(listener: (refusal: StorageError) => void): () => void {
    this.#hungListeners.add(listener);
    return () => void this.#hungListeners.delete(listener);
  }

  /**
   * One operation that a request waits for. SystemErrors become StorageErrors; give paths with
   * `fromSystemError` inside `work`, where they are known.
   *
   * @throws StorageError UNAVAILABLE when the volume is not usable, its share is exhausted, or after the deadline
   */
  async run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    this.assertUsable();
    try {
      return await this.bulkhead.run(operation, work, this.options.operationDeadlineMs);
    } catch (error) {
      throw fromSystemError(error, { volume: this.name });
    }
  }

  /**
   * `run` for work whose result must be given back, such as an open file: when the deadline passes first,
   * the result that nobody waits for any more goes to `release`.
   */
  async acquire<T>(
    operation: string,
    work: () => Promise<T>,
    release: (unwanted: T) => Promise<void> | void,
  ): Promise<T> {
    let abandoned = false;
    const acquireOrRelease = async (): Promise<T> => {
      const result = await work();
      if (abandoned) await release(result);
      return result;
    };
    try {
      return await this.run(operation, acquireOrRelease);
    } catch (error) {
      abandoned = true;
      throw error;
    }
  }

  /** One blocking call of a transfer (read, writev, sendfile, sync): it queues, has no deadline, and rejects with SystemError. */
  io<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.bulkhead.io(work, signal);
  }

  locate(id: VFolderId): TreeLocation {
    return vfolderLocation(id);
  }

  /**
   * The mount path. The caller closes it.
   *
   * @throws StorageError UNAVAILABLE when it is not the directory that was opened at the start
   */
  async openRoot(): Promise<Beneath> {
    this.assertUsable();
    const cached = this.openRootAtOnce();
    if (cached) return cached;
    const root = await this.openMountPath();
    try {
      if (this.isMountPath(await root.stat())) return root;
    } catch (error) {
      root.close();
      throw this.lost(error);
    }
    root.close();
    throw this.lost('something else is mounted there now');
  }

  /**
   * A vfolder's directory. The caller closes it.
   *
   * @throws StorageError NOT_FOUND with subject `vfolder` when it is missing or not a directory
   */
  async openVFolder(id: VFolderId): Promise<Beneath> {
    const root = await this.openRoot();
    try {
      return await root.descend(this.locate(id).path);
    } catch (error) {
      throw vfolderError(error, this.name, id);
    } finally {
      root.close();
    }
  }

  /**
   * `openVFolder` where nothing has to be waited for, and so without a slot of the bulkhead; undefined where
   * `openVFolder` has to find out, or say why not.
   *
   * @throws StorageError UNAVAILABLE when the volume is not usable
   */
  openVFolderAtOnce(id: VFolderId): Beneath | undefined {
    this.assertUsable();
    const root = this.openRootAtOnce();
    try {
      return root?.descendAtOnce(this.locate(id).path);
    } finally {
      root?.close();
    }
  }

  /** `run` with the vfolder open for as long as `work` takes. */
  withVFolder<T>(
    operation: string,
    id: VFolderId,
    work: (vfolder: Beneath) => Promise<T>,
  ): Promise<T> {
    return this.run(operation, () =>
      tellingFullQuota(this, id, async () => {
        using vfolder = await this.openVFolder(id);
        return await work(vfolder);
      }),
    );
  }

  /** `run` with the mount path open for as long as `work` takes. */
  withRoot<T>(operation: string, work: (root: Beneath) => Promise<T>): Promise<T> {
    return this.run(operation, async () => {
      using root = await this.openRoot();
      return await work(root);
    });
  }

  /** @throws StorageError UNAVAILABLE when calls would fail, or wait for a volume that hangs */
  assertUsable(): void {
    void this.strategies;
  }

  private openRootAtOnce(): Beneath | undefined {
    if (!this.answersAtOnce) return undefined;
    const root = Beneath.openAtOnce(this.settings.path, this.strategies.reservedNames);
    const stat = root?.statAtOnce();
    if (stat !== undefined && this.isMountPath(stat)) return root;
    root?.close();
    return undefined;
  }

  /** Whether it is what was opened at the start. */
  private isMountPath(stat: Stat): boolean {
    const identity = this.#state.kind === 'open' ? this.#state.identity : null;
    return identity === null || isSameInode(stat, identity);
  }

  private async openMountPath(): Promise<Beneath> {
    try {
      return await Beneath.open(this.settings.path, this.strategies.reservedNames, {
        atOnce: this.answersAtOnce,
      });
    } catch (error) {
      throw this.lost(error);
    }
  }

  /** The error to throw; tells the registry when the mount is gone rather than the process out of something. */
  private lost(cause: unknown): StorageError {
    if (typeof cause !== 'string' && !isErrno(cause, ...LOST)) {
      return this.unavailable(`its mount path cannot be opened (${String(cause)})`);
    }
    const reason = `its mount path is not what it was when the volume was opened (${String(cause)})`;
    this.options.onLost?.(reason);
    return this.unavailable(reason);
  }

  /** The reason goes to logs and health only: it may name host paths, which clients must not see. */
  private unavailable(reason: string, kind?: 'not-ready'): StorageError {
    return new StorageError(
      'UNAVAILABLE',
      `volume "${this.name}" is unavailable`,
      { subject: 'volume', volume: this.name, ...(kind ? { reason: kind } : {}) },
      { cause: new Error(reason) },
    );
  }
}

/** Failures of opening a vfolder's directory: whatever says that there is no directory means "no such vfolder". */
export function vfolderError(error: unknown, volume: string, id: VFolderId): unknown {
  const vfid = id.toString();
  if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.EXDEV)) {
    return new StorageError(
      'NOT_FOUND',
      `VFolder not found or not a directory: ${vfid}`,
      { subject: 'vfolder', volume, vfid },
      { cause: error },
    );
  }
  return fromSystemError(error, { subject: 'vfolder', volume, vfid });
}
