import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { fromSystemError } from '../../errors/from-system-error.js';
import { isStorageError, StorageError } from '../../errors/storage-error.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import type { RelPath } from '../ids/relpath.js';
import { newSessionId } from '../ids/session-id.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { QuotaAdmission } from '../quota-admission/quota-admission.js';
import { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { WorkerBus } from '../worker-bus.js';
import { beginUpload, cancelUpload } from './begin-upload.js';
import { syncPlace } from './completion.js';
import { OpenUpload } from './open-upload.js';
import { StagedFile, type StagedState } from './staged-file.js';
import { UploadSweeper } from './upload-sweeper.js';
import { NO_LEASE, UploadLeases, type UploadLease } from './upload-leases.js';
import { uploadNames, type UploadNames } from './upload-names.js';
import {
  assertNotReserved,
  noSuchUpload,
  targetDetails,
  uploadHeld,
  type UploadRequest,
} from './upload-request.js';

/** WorkerBus topic: whoever reads a body for the session named in the payload should let go. */
const UPLOAD_RELEASE_TOPIC = 'upload.release';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;
/** How often a holder is asked to let go while we wait: it may have changed meanwhile. */
const ASK_EVERY_MS = 1_000;
const QUOTA_PAUSE_MS = 500;

/**
 * Resumable uploads. Everything that one worker must know of another is in the vfolder's `.upload`
 * directory: the bytes, how many are durable, whether they are whole, and a flock(2) that says who writes.
 */
@Injectable()
export class Uploads {
  /** Uploads held by this process, to hand on the wish to let go. */
  readonly #held = new Map<string, OpenUpload>();
  readonly #unsubscribe: () => void;

  constructor(
    private readonly registry: VolumeRegistry,
    private readonly sweeper: UploadSweeper,
    private readonly admission: QuotaAdmission,
    private readonly bus: WorkerBus,
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
    private readonly leases: UploadLeases,
  ) {
    this.#unsubscribe = bus.subscribe(UPLOAD_RELEASE_TOPIC, (session) => {
      if (typeof session === 'string') this.#held.get(session)?.letGo();
    });
    leases.onReleaseAsked((session) => this.#held.get(session)?.letGo());
  }

  /** Starts what runs in the background. For the core, once a process. */
  start(): void {
    this.sweeper.start();
  }

  /** Ends it. Open uploads are not touched. */
  stop(): void {
    this.sweeper.stop();
    this.#unsubscribe();
  }

  get maxSizeBytes(): number {
    return this.settings.maxUploadSizeBytes;
  }

  /**
   * Prepares an upload of `sizeBytes` bytes to `target`, and returns its session id, durably known to all
   * proxies of the volume. An empty file is put in place at once, unless the name is taken or its directory
   * missing: then, as for any upload, by the first request with the token.
   *
   * @throws StorageError TOO_LARGE beyond the configured size; NOT_FOUND for a missing vfolder; OUTSIDE_VFOLDER;
   *   INVALID_ARGUMENT for a reserved path; IS_A_DIRECTORY when a directory has the name; QUOTA_EXCEEDED, with
   *   the figures, for what does not fit beside what is there and what running uploads will bring
   */
  async create(ref: VFolderRef, target: RelPath, sizeBytes: number): Promise<string> {
    this.assertSize(sizeBytes);
    const session = newSessionId();
    const volume = this.registry.get(ref.volume);
    if (volume.isNoop) return session;
    await this.begin(volume, { ref, session, target, sizeBytes });
    await this.makeKnown(volume, ref, session, sizeBytes);
    this.sweeper.visit(ref);
    return session;
  }

  /** What the quota has no room for waits without a slot, as long as the usage may be behind a deletion. */
  private async begin(volume: Volume, request: UploadRequest): Promise<void> {
    const { ref, session, target, sizeBytes } = request;
    const deadline = Date.now() + volume.strategies.quota.usageLagMs;
    for (;;) {
      const shortage = await volume.withVFolder('file.upload', ref.id, async (vfolder) => {
        try {
          const found = await this.admission.shortage(volume, ref.id, sizeBytes);
          if (!found) await beginUpload(vfolder, namesOf(session), target, sizeBytes);
          return found;
        } catch (error) {
          throw fromSystemError(error, targetDetails(ref, target));
        }
      });
      if (shortage === null) return;
      if (!shortage.mayPass || Date.now() >= deadline) throw shortage.refusal;
      await sleep(QUOTA_PAUSE_MS);
    }
  }

  /** To other uploads, which have to leave room for it, and to other proxies. Where that fails nothing is left of it. */
  private async makeKnown(
    volume: Volume,
    ref: VFolderRef,
    session: string,
    sizeBytes: number,
  ): Promise<void> {
    const request = { volume, id: ref.id, session, sizeBytes };
    try {
      await this.admission.reserve(request);
      await this.leases.announce(session);
    } catch (error) {
      await this.admission.release(request);
      await volume
        .withVFolder('file.upload', ref.id, (vfolder) => cancelUpload(vfolder, namesOf(session)))
        .catch(() => undefined);
      throw error;
    }
  }

  /**
   * Opens an upload for one request, which then alone may write to it until it calls `close`. Waits for
   * another holder to let go, and for a volume that is away for a moment: clients of the original take any
   * refusal as final. A whole upload that is not in place yet is put there.
   *
   * @param signal ends the waiting, with the signal's reason
   * @throws StorageError NOT_FOUND with subject `upload`, or `vfolder`; LOCKED or UNAVAILABLE after the wait;
   *   whatever completing the upload can throw
   */
  async open(request: UploadRequest, signal?: AbortSignal): Promise<OpenUpload> {
    const volume = this.registry.get(request.ref.volume);
    if (volume.isNoop) throw noSuchUpload();
    assertNotReserved(request.target);
    const deadline = Date.now() + this.settings.uploads.lockWaitMs;
    let askAt = 0;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const outcome = await this.attempt(volume, request);
      if (!(outcome instanceof StorageError)) return outcome;
      if (Date.now() + pauseMs > deadline) throw outcome;
      if (isStorageError(outcome, 'LOCKED') && Date.now() >= askAt) {
        this.bus.publish(UPLOAD_RELEASE_TOPIC, request.session);
        this.leases.askRelease(request.session);
        askAt = Date.now() + ASK_EVERY_MS;
      }
      await sleep(pauseMs, undefined, signal ? { signal } : {});
    }
  }

  /** What may pass comes back as the error to give in the end; the rest is thrown. */
  private async attempt(
    volume: Volume,
    request: UploadRequest,
  ): Promise<OpenUpload | StorageError> {
    let state: StagedState;
    try {
      state = await this.openStaged(volume, request);
    } catch (error) {
      if (isStorageError(error, 'UNAVAILABLE')) return error;
      throw error;
    }
    const options = {
      idleTimeoutMs: this.settings.uploads.idleTimeoutMs,
      admission: this.admission,
      lease: NO_LEASE,
    };
    switch (state) {
      case 'held':
        return uploadHeld();
      case 'missing':
        throw noSuchUpload();
      case 'finished':
        return OpenUpload.finished(volume, request, options);
    }
    const lease = await this.lease(state, request.session);
    if (lease instanceof StorageError) return lease;
    const upload = await OpenUpload.take(volume, request, state, { ...options, lease });
    return this.hold(upload, request.session);
  }

  /** Without the lease the file is closed again. */
  private async lease(staged: StagedFile, session: string): Promise<UploadLease | StorageError> {
    try {
      const lease = await this.leases.acquire(session);
      if (lease !== 'held') return lease;
      await staged.close();
      return uploadHeld();
    } catch (error) {
      await staged.close();
      if (isStorageError(error, 'UNAVAILABLE')) return error;
      throw error;
    }
  }

  private async openStaged(volume: Volume, request: UploadRequest): Promise<StagedState> {
    const { ref, session, target } = request;
    const names = namesOf(session);
    let abandoned = false;
    try {
      return await volume.run('upload.open', async () => {
        const state = await StagedFile.open(await volume.openVFolder(ref.id), names);
        // The deadline has passed and nobody waits for this any more: the lock must not stay.
        if (abandoned && state instanceof StagedFile) await state.close();
        if (state === 'finished') {
          using vfolder = await volume.openVFolder(ref.id);
          await syncPlace(vfolder, target);
        }
        return state;
      });
    } catch (error) {
      abandoned = true;
      throw error;
    }
  }

  private hold(upload: OpenUpload, session: string): OpenUpload {
    this.#held.set(session, upload);
    upload.onClose(() => {
      if (this.#held.get(session) === upload) this.#held.delete(session);
    });
    return upload;
  }

  private assertSize(sizeBytes: number): void {
    const { maxUploadSizeBytes } = this.settings;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
      throw new StorageError('INVALID_ARGUMENT', 'the size must be a number of bytes', {
        subject: 'request',
      });
    }
    if (sizeBytes <= maxUploadSizeBytes) return;
    throw new StorageError(
      'TOO_LARGE',
      `The file is larger than the ${maxUploadSizeBytes} bytes that may be uploaded`,
      { subject: 'upload' },
    );
  }
}

/** @throws StorageError NOT_FOUND for a session id that cannot be ours, such as the original's for `noop` */
function namesOf(session: string): UploadNames {
  const names = uploadNames(session);
  if (names === undefined) throw noSuchUpload();
  return names;
}
