import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BackendCatalog } from '../../backend/contract/backend-catalog.js';
import type { Backend, VolumeStrategies } from '../../backend/contract/backend.js';
import { capabilitiesOf } from '../../backend/contract/capability.js';
import type { QuotaModel, QuotaStatus } from '../../backend/contract/quota-model.js';
import { PosixTelemetry } from '../../backend/posix/posix-telemetry.js';
import { configureLogging } from '../../observability/logger.js';
import type { DomainSettings } from '../domain-settings.js';
import { Files } from '../files/files.js';
import { vfolderPath } from '../ids/layout.js';
import { QuotaScopeId } from '../ids/quota-scope-id.js';
import { RelPath } from '../ids/relpath.js';
import { VFolderId, type VFolderRef } from '../ids/vfolder-id.js';
import { QuotaScopes } from '../quota-scopes.js';
import { TransferTokens } from '../tokens/transfer-tokens.js';
import { VFolders } from '../vfolders.js';
import { VolumeRegistry } from '../volume-registry.js';
import { inlineTrees } from './inline-trees.js';

export const SCOPE = QuotaScopeId.parse('user:0f0e0d0c-0b0a-4090-8070-605040302010');
export const SCOPED: VFolderRef = {
  volume: 'local',
  id: VFolderId.of(SCOPE, '9f8e7d6c5b4a43929190807060504030'),
};
export const UNSCOPED: VFolderRef = {
  volume: 'local',
  id: VFolderId.of(null, '1f8e7d6c5b4a43929190807060504030'),
};

export const p = (text: string): RelPath => RelPath.parse(text);

configureLogging({ level: 'fatal' });

/** A quota model without quotas, for specs to override what they watch. */
export class PlainQuota implements QuotaModel {
  readonly scopeMode = 0o755;
  readonly enforcesScopes: boolean = false;
  readonly enforcesVFolders: boolean = false;
  readonly enforcesLate: boolean = false;
  readonly usageLagMs: number = 0;

  async initialiseScope(_scope: Buffer, _limitBytes: number | null): Promise<void> {}
  async updateScope(_scope: Buffer, _limitBytes: number | null): Promise<void> {}
  async releaseScope(_scope: Buffer): Promise<void> {}
  async initialiseVFolder(_vfolder: Buffer, _limitBytes: number | null): Promise<void> {}
  async updateVFolder(_vfolder: Buffer, _limitBytes: number | null): Promise<void> {}
  async releaseVFolder(_vfolder: Buffer): Promise<void> {}

  async describeScope(_scope: Buffer): Promise<QuotaStatus> {
    return { usedBytes: null, limitBytes: null };
  }

  async describeVFolder(_vfolder: Buffer): Promise<QuotaStatus> {
    return { usedBytes: null, limitBytes: null };
  }
}

/** Strategies of a plain directory, with a quota model of the spec's own when it wants to watch it. */
export function strategiesOf(mountPath: string, quota: QuotaModel = new PlainQuota()) {
  const trees = inlineTrees(mountPath);
  const telemetry = new PosixTelemetry(mountPath);
  const capabilities = capabilitiesOf({ quota, trees, telemetry });
  return {
    quota,
    trees,
    telemetry,
    capabilities,
    reservedNames: [] as Buffer[],
    warnings: [],
    close: async () => undefined,
  } satisfies VolumeStrategies;
}

/** Jobs have specs of their own. */
const NO_JOBS = undefined as never;

/** The domain over one volume `local` in a temporary directory, as `count` workers would have it. */
export class DomainRig {
  readonly path = mkdtempSync(path.join(tmpdir(), 'domain-'));
  readonly settings: DomainSettings;

  constructor(
    overrides: Partial<DomainSettings> = {},
    private readonly quota?: QuotaModel,
  ) {
    this.settings = {
      volumes: [{ name: 'local', backend: 'vfs', path: this.path, fsprefix: '.', options: {} }],
      scandirLimit: 0,
      maxUploadSizeBytes: 1024 ** 3,
      tokenKeys: ['secret'],
      tokenLifetimeMs: 60_000,
      unmanagedRoots: [],
      autoCreateQuotaScope: true,
      operationDeadlineMs: 10_000,
      usageDeadlineMs: 10_000,
      bulkheadShare: 8,
      uploads: {
        lockWaitMs: 1_000,
        idleTimeoutMs: 1_000,
        stagingMaxAgeMs: 60_000,
        finishedRetentionMs: 60_000,
        sweepIntervalMs: 60_000,
      },
      jobs: { retentionMs: 60_000, concurrency: 2, heartbeatMs: 1_000, expiredAfterMs: 5_000 },
      volumeStats: { observeIntervalMs: 10_000, observeTimeoutMs: 1_000, cacheTtlMs: 30_000 },
      downloads: { idleTimeoutMs: 1_000, compressionLevel: 1 },
      nodeId: 'node',
      ...overrides,
    };
  }

  async worker() {
    const backend: Backend = { open: async ({ path }) => strategiesOf(path, this.quota) };
    const registry = new VolumeRegistry(catalogOf(backend), this.settings);
    await registry.open();
    const quotaScopes = new QuotaScopes(registry, this.settings);
    const vfolders = new VFolders(registry, quotaScopes, this.settings, NO_JOBS, NO_JOBS);
    const files = new Files(registry, this.settings, NO_JOBS);
    return { registry, quotaScopes, vfolders, files, tokens: new TransferTokens(this.settings) };
  }

  /** Host path of something in a vfolder. */
  hostPath({ id }: VFolderRef, ...names: string[]): string {
    return path.join(this.path, vfolderPath(id).toString(), ...names);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function catalogOf(backend: Backend): BackendCatalog {
  return {
    names: () => ['vfs', 'noop'],
    get: () => backend,
    describe: () => {
      throw new Error('not needed');
    },
  };
}

/** A vfolder as the host sees it: where its entries are, and what they hold. */
export class HostFolder {
  constructor(
    private readonly rig: DomainRig,
    private readonly ref: VFolderRef,
  ) {}

  readonly path = (...names: string[]): string => this.rig.hostPath(this.ref, ...names);

  /** Makes a file, with the directories on the way; it says its own name unless told otherwise. */
  readonly write = (name: string, text = name): void => {
    mkdirSync(path.dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  };

  readonly read = (name: string): string => readFileSync(this.path(name), 'utf8');

  /** Links count, wherever they lead. */
  readonly exists = (name: string): boolean =>
    lstatSync(this.path(name), { throwIfNoEntry: false }) !== undefined;
}
