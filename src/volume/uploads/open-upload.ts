import { fromSystemError } from '../../errors/from-system-error.js';
import { isStorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isSameInode } from '../../native/stat.js';
import { meterTransfer } from '../../observability/metrics.js';
import type { QuotaAdmission } from '../quota-admission/quota-admission.js';
import type { Volume } from '../volume.js';
import { explainFull } from '../full-quota.js';
import { BodyReader } from './body-reader.js';
import type { BodySource } from './body-source.js';
import { putInPlace } from './completion.js';
import type { Slot, StagedFile } from './staged-file.js';
import type { UploadLease } from './upload-leases.js';
import {
  noSuchUpload,
  targetDetails,
  tooManyBytes,
  uploadTakenOver,
  type UploadRequest,
} from './upload-request.js';

/**
 * A long body is synced this often on the way: a power failure costs at most so much of it, and the sync
 * before the answer finds little left to do. It runs beside the writes.
 */
const CHECKPOINT_BYTES = 256 * 1024 * 1024;

export interface OpenUploadOptions {
  readonly idleTimeoutMs: number;
  readonly admission: QuotaAdmission;
  readonly lease: UploadLease;
}

/** An upload for the time of one request, which holds its lock until `close`. */
export class OpenUpload {
  #offset: number;
  #reader: BodyReader | undefined;
  #wasCompleted = false;
  #closed: () => void = () => undefined;

  private constructor(
    private readonly volume: Volume,
    private readonly request: UploadRequest,
    /** `null`: the file is in place already. */
    private readonly staged: StagedFile | null,
    private readonly options: OpenUploadOptions,
    offset: number,
  ) {
    this.#offset = offset;
  }

  /** An upload whose file is in place. */
  static finished(volume: Volume, request: UploadRequest, options: OpenUploadOptions): OpenUpload {
    return new OpenUpload(volume, request, null, options, request.sizeBytes);
  }

  /** Takes over `staged`, finds out how much of it counts, and completes the upload if that is all. */
  static async take(
    volume: Volume,
    request: UploadRequest,
    staged: StagedFile,
    options: OpenUploadOptions,
  ): Promise<OpenUpload> {
    try {
      const { lease } = options;
      const offset = await volume.io(() => staged.settle(request.sizeBytes, lease.offset ?? 0));
      // Forgotten by a flush, or behind because of a body that broke off.
      if (lease.offset !== offset) await lease.record(offset);
      const upload = new OpenUpload(volume, request, staged, options, offset);
      if (offset === request.sizeBytes) {
        await upload.finish();
        upload.#wasCompleted = true;
      }
      return upload;
    } catch (error) {
      await options.lease.release();
      await staged.close();
      throw await explained(volume, request, error);
    }
  }

  /** Bytes that are on stable storage: where the next PATCH has to start. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether opening it put its file in place: all of it had arrived, and was not complete yet. */
  get wasCompleted(): boolean {
    return this.#wasCompleted;
  }

  get sizeBytes(): number {
    return this.request.sizeBytes;
  }

  /**
   * Appends a body at the current offset, puts the file in place when it is whole, and returns the new
   * offset, which survives a crash of the machine. Of a body that breaks off, what arrived is kept.
   *
   * @throws StorageError TOO_LARGE (nothing is kept) when the body goes beyond the declared size; LOCKED when another
   *   request asked for the upload; QUOTA_EXCEEDED, NO_SPACE (what fitted is kept); UNAVAILABLE and others
   *   when writing or syncing fails (the upload goes back to the last durable offset)
   */
  async receive(body: BodySource): Promise<number> {
    const left = this.staged === null ? 0 : this.sizeBytes - this.#offset;
    const reader = new BodyReader(body, {
      limitBytes: left,
      idleTimeoutMs: this.options.idleTimeoutMs,
    });
    this.#reader = reader;
    this.options.lease.onLost(() => reader.revoke());
    try {
      if (this.staged === null || left === 0) await reader.next();
      else await this.append(this.staged, reader);
    } catch (error) {
      throw await explained(this.volume, this.request, error);
    } finally {
      this.#reader = undefined;
      reader.close();
    }
    await this.tellOffset();
    if (reader.end === 'surplus') throw tooManyBytes(this.sizeBytes);
    if (reader.end === 'released' && this.#offset < this.sizeBytes) throw uploadTakenOver();
    return this.#offset;
  }

  /** What arrived counts for other proxies too, also of a body that broke off. */
  private async tellOffset(): Promise<void> {
    if (this.staged === null || this.#offset === this.sizeBytes) return;
    await this.options.lease.commit(this.#offset);
  }

  /** Another request wants this upload: stop reading soon. Without effect while nothing is being read. */
  letGo(): void {
    this.#reader?.letGo();
  }

  /** Called once, when the upload is closed. */
  onClose(listener: () => void): void {
    this.#closed = listener;
  }

  /** Gives up the lock. May be called again. */
  async close(): Promise<void> {
    this.#closed();
    await this.options.lease.release();
    await this.staged?.close();
  }

  private async append(staged: StagedFile, reader: BodyReader): Promise<void> {
    const start = this.#offset;
    try {
      const end = await this.write(staged, reader, start);
      if (reader.end === 'surplus') return await this.rollBack(staged, start);
      const isWhole = end === this.sizeBytes;
      await this.volume.io(() => (isWhole ? staged.persistBytes() : staged.persist(end)));
      this.#offset = end;
    } catch (error) {
      this.assertLease();
      await this.rollBack(staged, staged.durableBytes);
      throw error;
    }
    if (this.#offset === this.sizeBytes) await this.finish();
  }

  /** Writes what comes; returns how far that got. Rejects when it must not be trusted, all writes and syncs having ended. */
  private async write(staged: StagedFile, reader: BodyReader, start: number): Promise<number> {
    const meter = meterTransfer(this.request.ref.volume, 'upload');
    const checkpoint = new Checkpoint(start, (offset) => {
      this.assertLease();
      return this.volume.io(() => staged.persist(offset));
    });
    const quota = this.options.admission.watch(this.volume, this.request.ref.id);
    let position = start;
    try {
      for (let batch; (batch = await reader.next()) !== null;) {
        this.assertLease();
        const buffers = batch;
        const bytes = buffers.reduce((sum, { length }) => sum + length, 0);
        if (position === start) {
          const comesAtOnce = bytes === this.sizeBytes - start;
          await this.volume.io(() => staged.prepareWriting(start, comesAtOnce));
        }
        await this.volume.io(() => staged.write(buffers, position));
        position += bytes;
        meter.add(bytes);
        await checkpoint.passed(position);
        // What is there whole is not refused for figures that may be old: the filesystem has taken it.
        if (position < this.sizeBytes)
          await quota?.passed(this.sizeBytes - position, reader.cutShort);
      }
    } catch (error) {
      await checkpoint.settled();
      this.assertLease();
      if (isFull(error)) await this.keepWhatIsSure(staged, start, position);
      throw error;
    } finally {
      meter.close();
    }
    await checkpoint.settled();
    this.assertLease();
    return position;
  }

  /** Without the lease the file may be somebody else's to write: not even what is wrong with it may be mended. */
  private assertLease(): void {
    if (this.options.lease.isLost) throw uploadTakenOver();
  }

  /**
   * The volume is full: what has been written whole stays. Where the failure may be about earlier bytes, and may have
   * been missed by a sync that ran beside the writes, that is what was there before.
   */
  private async keepWhatIsSure(staged: StagedFile, start: number, written: number): Promise<void> {
    await this.volume.io(async () => {
      const offset = (await staged.tellsLate()) ? start : written;
      await staged.rollBack(offset);
      await staged.persist(offset);
    });
  }

  private async rollBack(staged: StagedFile, offset: number): Promise<void> {
    this.#offset = offset;
    await this.volume.io(() => staged.rollBack(offset));
  }

  private async finish(): Promise<void> {
    const { staged, request, volume } = this;
    if (staged === null) return;
    await this.options.lease.assertHeld();
    const makeParents = request.ref.id.scope !== null;
    await volume.io(() => this.assertVFolderInPlace(staged));
    const { ref, session, sizeBytes } = request;
    const slot: Slot = (work) => volume.io(work);
    await putInPlace(staged, request.target, { sizeBytes, makeParents, slot });
    await this.options.lease.complete();
    await this.options.admission.release(
      { volume, id: ref.id, session, sizeBytes },
      { isInPlace: true },
    );
  }

  /** The vfolder may have been deleted, that is renamed away, while the bytes came in. */
  private async assertVFolderInPlace(staged: StagedFile): Promise<void> {
    using now = await this.volume.openVFolder(this.request.ref.id);
    if (!isSameInode(await now.stat(), await staged.vfolder.stat())) throw noSuchUpload();
  }
}

function explained(
  volume: Volume,
  { ref, target }: UploadRequest,
  error: unknown,
): Promise<unknown> {
  return explainFull(volume, ref.id, fromSystemError(error, targetDetails(ref, target)));
}

/** There is no room for more; what has been written is all right. A sync that fails says the opposite. */
function isFull(error: unknown): boolean {
  if (isErrno(error, Errno.ENOSPC, Errno.EDQUOT)) return error.syscall !== 'fdatasync';
  return isStorageError(error, 'QUOTA_EXCEEDED');
}

/** Syncs every so many bytes, one sync at a time, beside the writes. */
class Checkpoint {
  #running: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(
    private at: number,
    private readonly sync: (offset: number) => Promise<void>,
  ) {}

  /** Rejects once a sync has failed. Waits while the one before is still running. */
  async passed(offset: number): Promise<void> {
    if (offset - this.at < CHECKPOINT_BYTES) return;
    this.at = offset;
    await this.#running;
    if (this.#failure) throw this.#failure.error;
    this.#running = (async () => this.sync(offset))().catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  /** No sync runs any more; rejects if the last one failed. */
  async settled(): Promise<void> {
    await this.#running;
    if (this.#failure) throw this.#failure.error;
  }
}
