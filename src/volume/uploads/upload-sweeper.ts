import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { PROXY_DIRECTORY } from '../../backend/contract/proxy-directory.js';
import { isStorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { OpenFile } from '../../native/open-file.js';
import { audit } from '../../observability/audit/audit.js';
import { loggerFor } from '../../observability/logger.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import { PRIVATE_MODE } from '../ids/layout.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { QuotaAdmission } from '../quota-admission/quota-admission.js';
import { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { sweepCopies } from './sweep-copies.js';
import { sweepUploads, type SweepLimits } from './sweep-uploads.js';
import { UPLOAD_PATH } from './upload-names.js';
import { walkVFolders } from './walk-vfolders.js';

const log = loggerFor('uploads');

const PROXY_PATH = Buffer.from(PROXY_DIRECTORY);
const SWEEP_LOCK = Buffer.from(`${PROXY_DIRECTORY}/upload-sweep`);
/** Between two vfolders of a walk, which has all the time in the world. */
const PAUSE_MS = 20;
const REMEMBERED_VISITS = 10_000;
/**
 * How often a volume is asked whether a walk is due. When the last one began is written on the volume: proxies that
 * restart more often than they sweep, and volumes that were away, have their turn all the same.
 */
const LOOK_EVERY_MS = 60_000;

/**
 * Collects uploads that nobody continues and markers of finished ones, by age: in a vfolder when an upload
 * begins there, and in all of a volume every so often, where a lock file on the volume sees to it that
 * only one process of all proxies walks at a time.
 */
@Injectable()
export class UploadSweeper {
  readonly #visited = new Map<string, number>();
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly registry: VolumeRegistry,
    private readonly admission: QuotaAdmission,
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
  ) {}

  /** Starts the periodic walks. */
  start(): void {
    const { sweepIntervalMs } = this.settings.uploads;
    const lookEveryMs = Math.min(sweepIntervalMs, LOOK_EVERY_MS);
    this.#timer ??= setInterval(() => void this.sweepAll(), lookEveryMs).unref();
  }

  /** Ends them, a running one at its next step. */
  stop(): void {
    clearInterval(this.#timer);
    this.#stopping.abort();
  }

  /** Sweeps a vfolder in the background, unless that was done lately. Never throws. */
  visit(ref: VFolderRef): void {
    const key = `${ref.volume} ${ref.id.toString()}`;
    const last = this.#visited.get(key);
    if (last !== undefined && Date.now() - last < this.settings.uploads.sweepIntervalMs) return;
    if (this.#visited.size >= REMEMBERED_VISITS) this.#visited.clear();
    this.#visited.set(key, Date.now());
    this.sweep(ref).catch((error: unknown) => tellFailure(ref, error));
  }

  /** Sweeps one vfolder; returns how many entries were removed. A vfolder without uploads has none. */
  async sweep(ref: VFolderRef): Promise<number> {
    const volume = this.registry.get(ref.volume);
    try {
      const listing = await volume.strategies.trees.list(volume.locate(ref.id), UPLOAD_PATH, {
        limit: 0,
        signal: this.#stopping.signal,
      });
      const started = performance.now();
      const limits = this.limits();
      const copies = await sweepCopies(volume, ref, listing.entries, limits.stagedBeforeMs);
      const uploads = await volume.io(async () => {
        using vfolder = await volume.openVFolder(ref.id);
        return await sweepUploads(vfolder, listing.entries, limits);
      });
      const removed = copies + uploads;
      if (removed > 0) auditSweep(ref, removed, performance.now() - started);
      return removed;
    } catch (error) {
      if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR) || isStorageError(error, 'NOT_FOUND'))
        return 0;
      throw error;
    }
  }

  /** One walk over each usable volume that is due and that nobody else walks. Never rejects. */
  async sweepAll(): Promise<void> {
    for (const volume of this.registry.all()) {
      if (!volume.isUsable) continue;
      try {
        await this.sweepVolume(volume);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        log.warn('Sweeping abandoned uploads failed', { volume: volume.name, err: error });
      }
    }
  }

  private async sweepVolume(volume: Volume): Promise<void> {
    const turn = await volume.io(() => takeTurn(volume, this.settings.uploads.sweepIntervalMs));
    if (turn === null) return;
    try {
      const { signal } = this.#stopping;
      let removed = 0;
      for await (const id of walkVFolders(volume, signal)) {
        removed += await this.sweepInTurn({ volume: volume.name, id });
        await sleep(PAUSE_MS, undefined, { signal, ref: false });
      }
      await this.admission.collect(volume);
      if (removed > 0) log.info('Swept abandoned uploads', { volume: volume.name, removed });
    } finally {
      await volume.io(() => turn.close());
    }
  }

  /** What a tenant has put in the way keeps no other vfolder from its turn. Rejects when the volume is at fault. */
  private async sweepInTurn(ref: VFolderRef): Promise<number> {
    try {
      return await this.sweep(ref);
    } catch (error) {
      const { aborted } = this.#stopping.signal;
      if (aborted || isStorageError(error, 'UNAVAILABLE')) throw error;
      tellFailure(ref, error);
      return 0;
    }
  }

  private limits(): SweepLimits {
    const { uploads, tokenLifetimeMs } = this.settings;
    const now = Date.now();
    return {
      // While the token lives its holder may still come back.
      stagedBeforeMs: now - Math.max(uploads.stagingMaxAgeMs, tokenLifetimeMs),
      finishedBeforeMs: now - uploads.finishedRetentionMs,
    };
  }
}

function tellFailure({ volume, id }: VFolderRef, error: unknown): void {
  const facts = { volume, vfid: id.toString(), err: error };
  log.warn('Sweeping a vfolder of abandoned uploads failed', facts);
}

function auditSweep({ volume, id }: VFolderRef, removed: number, durationMs: number): void {
  audit({
    plane: 'background',
    operation: 'uploads.sweep',
    result: 'ok',
    durationMs,
    volume,
    vfolder: id.toString(),
    details: { removed },
  });
}

/**
 * The lock file of walks over this volume, locked, when one is due: its modification time is when the last
 * began, by whichever proxy. `null` when it is not due, or running.
 */
async function takeTurn(volume: Volume, intervalMs: number): Promise<OpenFile | null> {
  using root = await volume.openRoot();
  await root.mkdir(PROXY_PATH, PRIVATE_MODE).catch(ignoreExisting);
  const file = await root.openFile(SWEEP_LOCK, { write: true, create: 'if-missing', mode: 0o600 });
  const isNew = file.stat.size === 0;
  const ageMs = Date.now() - Number(file.stat.mtimeNs / 1_000_000n);
  let isOurs = false;
  try {
    // A little early is better than skipping every other time.
    if (!isNew && ageMs < intervalMs * 0.9) return null;
    if (!(await file.tryLock())) return null;
    await file.write([Buffer.from('The modification time is when uploads were last swept.\n')], 0);
    isOurs = true;
    return file;
  } finally {
    if (!isOurs) await file.close();
  }
}

function ignoreExisting(error: unknown): void {
  if (!isErrno(error, Errno.EEXIST)) throw error;
}
