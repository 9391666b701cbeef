import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { QuotaModel } from '../../../backend/contract/quota-model.js';
import { Beneath } from '../../../native/beneath.js';
import { injectFaults } from '../../../native/ffi.js';
import type { DomainSettings } from '../../domain-settings.js';
import { vfolderPath } from '../../ids/layout.js';
import { RelPath } from '../../ids/relpath.js';
import { VFolderId, type VFolderRef } from '../../ids/vfolder-id.js';
import type { VolumeRegistry } from '../../volume-registry.js';
import { QuotaAdmission } from '../../quota-admission/quota-admission.js';
import { PlainQuota, strategiesOf } from '../../testing/domain-rig.js';
import { Volume } from '../../volume.js';
import { LocalWorkerBus, type WorkerBus } from '../../worker-bus.js';
import type { OpenUpload } from '../open-upload.js';
import { StreamBody } from '../stream-body.js';
import type { UploadRequest } from '../upload-request.js';
import { NoUploadLeases } from '../upload-leases.js';
import { UploadSweeper } from '../upload-sweeper.js';
import { Uploads } from '../uploads.js';

const SCOPED = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
export const UNSCOPED = '9f8e7d6c-5b4a-4392-9190-807060504030';

export const SETTINGS = {
  maxUploadSizeBytes: 64 * 1024 * 1024,
  tokenLifetimeMs: 60_000,
  uploads: {
    lockWaitMs: 2_000,
    idleTimeoutMs: 5_000,
    stagingMaxAgeMs: 3_600_000,
    finishedRetentionMs: 3_600_000,
    sweepIntervalMs: 3_600_000,
  },
} as unknown as DomainSettings;

/** What uploads of the specs consist of, and its length in bytes. */
export const HELLO = Buffer.from('hello');
export const WORLD = Buffer.from(', world');
export const BOTH = HELLO.length + WORLD.length;

/** Fails the nth call of a system call from now on, once. */
export function failOnce(syscall: string, errno: number, nth = 1): void {
  let seen = 0;
  injectFaults((name) => (name === syscall && ++seen === nth ? errno : undefined));
}

/** What a promise fails with; taken at once, so that the failure may come at any time. */
export const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

export async function receiveAndClose(upload: OpenUpload, body: Readable): Promise<number> {
  try {
    return await upload.receive(new StreamBody(body));
  } finally {
    await upload.close();
  }
}

/** A volume in a temporary directory with one vfolder, and the uploads of one or more workers on it. */
export class UploadRig {
  readonly volumePath = mkdtempSync(join(tmpdir(), 'uploads-'));
  readonly ref: VFolderRef;
  readonly path: string;
  readonly bus = new LocalWorkerBus();
  readonly volume: Volume;
  readonly uploads: Uploads;
  readonly sweeper: UploadSweeper;

  private constructor(vfid: string) {
    this.ref = { volume: 'local', id: VFolderId.parse(vfid) };
    this.path = join(this.volumePath, vfolderPath(this.ref.id).toString());
    mkdirSync(this.path, { recursive: true });
    this.volume = new Volume(
      { name: 'local', backend: 'vfs', path: this.volumePath, fsprefix: '.', options: {} },
      { operationDeadlineMs: 5_000, bulkheadShare: 8 },
    );
    ({ uploads: this.uploads, sweeper: this.sweeper } = this.worker());
  }

  static async create(vfid = SCOPED, quota: QuotaModel = new PlainQuota()): Promise<UploadRig> {
    const rig = new UploadRig(vfid);
    using root = await Beneath.open(rig.volumePath);
    rig.volume.become({
      kind: 'open',
      strategies: strategiesOf(rig.volumePath, quota),
      identity: await root.stat(),
      layout: 3,
      atOnce: true,
    });
    return rig;
  }

  /** What another worker of the process group would have. */
  worker(
    settings: DomainSettings = SETTINGS,
    bus: WorkerBus = this.bus,
  ): { uploads: Uploads; sweeper: UploadSweeper } {
    const registry = {
      get: () => this.volume,
      all: () => [this.volume],
    } as unknown as VolumeRegistry;
    const admission = new QuotaAdmission(settings);
    const sweeper = new UploadSweeper(registry, admission, settings);
    const leases = new NoUploadLeases();
    return { uploads: new Uploads(registry, sweeper, admission, bus, settings, leases), sweeper };
  }

  async begin(path: string, sizeBytes: number): Promise<UploadRequest> {
    const target = RelPath.parse(path);
    return {
      ref: this.ref,
      session: await this.uploads.create(this.ref, target, sizeBytes),
      sizeBytes,
      target,
    };
  }

  /** One request: opens, sends, closes; the offset afterwards. */
  async send(request: UploadRequest, ...chunks: Buffer[]): Promise<number> {
    return this.with(request, (upload) => upload.receive(new StreamBody(Readable.from(chunks))));
  }

  /** What a HEAD reports. */
  offset(request: UploadRequest): Promise<number> {
    return this.with(request, (upload) => Promise.resolve(upload.offset));
  }

  async with<T>(request: UploadRequest, work: (upload: OpenUpload) => Promise<T>): Promise<T> {
    const upload = await this.uploads.open(request);
    try {
      return await work(upload);
    } finally {
      await upload.close();
    }
  }

  /** Where the staging file of an upload is. */
  staging(session: string): string {
    return join(this.path, '.upload', session);
  }

  read(path: string): Buffer {
    return readFileSync(join(this.path, path));
  }

  /** Names in a directory of the vfolder, sorted; none when it is missing. */
  names(path = '.'): string[] {
    try {
      return readdirSync(join(this.path, path)).toSorted();
    } catch {
      return [];
    }
  }

  remove(): void {
    this.uploads.stop();
    rmSync(this.volumePath, { recursive: true, force: true });
  }
}
