import { Injectable } from '@nestjs/common';
import type { Capacity, HardwareInfo } from '../backend/contract/telemetry.js';
import { Archives } from './archives/archives.js';
import { Downloads } from './downloads/downloads.js';
import { Files } from './files/files.js';
import { Jobs } from './jobs/jobs.js';
import { NOOP_FILES, NOOP_QUOTA_SCOPES, NOOP_VFOLDERS, withNoopAnswers } from './noop-answers.js';
import { QuotaScopes } from './quota-scopes.js';
import type { Observed } from './statistics/statistics-store.js';
import { VolumeStatistics } from './statistics/volume-statistics.js';
import { TransferTokens } from './tokens/transfer-tokens.js';
import { Uploads } from './uploads/uploads.js';
import { VFolders } from './vfolders.js';
import { VolumeRegistry } from './volume-registry.js';

/** A volume as managers list it. */
export interface VolumeInfo {
  readonly name: string;
  readonly backend: string;
  readonly path: string;
  readonly fsprefix: string;
  /** Sorted. */
  readonly capabilities: readonly string[];
}

/**
 * The domain's face to the planes: what concerns a volume as a whole is here, the rest is in the members.
 * Opens and closes nothing; several applications of a process share one.
 */
@Injectable()
export class VolumeService {
  readonly quotaScopes: QuotaScopes;
  readonly vfolders: VFolders;
  readonly files: Files;

  constructor(
    readonly registry: VolumeRegistry,
    quotaScopes: QuotaScopes,
    vfolders: VFolders,
    files: Files,
    readonly tokens: TransferTokens,
    readonly uploads: Uploads,
    readonly downloads: Downloads,
    readonly archives: Archives,
    readonly jobs: Jobs,
    readonly statistics: VolumeStatistics,
  ) {
    this.quotaScopes = withNoopAnswers(quotaScopes, NOOP_QUOTA_SCOPES);
    this.vfolders = withNoopAnswers(vfolders, NOOP_VFOLDERS);
    this.files = withNoopAnswers(files, NOOP_FILES);
  }

  /** The usable volumes; a sick one is left out rather than failing the answer. */
  list(): VolumeInfo[] {
    return this.registry
      .all()
      .filter((volume) => volume.isUsable)
      .map(({ settings, strategies }) => ({
        name: settings.name,
        backend: settings.backend,
        path: settings.path,
        fsprefix: settings.fsprefix,
        capabilities: [...strategies.capabilities].toSorted(),
      }));
  }

  async hardwareInfo(name: string): Promise<HardwareInfo> {
    const volume = this.registry.get(name);
    return await volume.run('volume.hwinfo', () => volume.strategies.telemetry.hardwareInfo());
  }

  /** @throws StorageError UNSUPPORTED where the backend measures nothing */
  async performanceMetric(name: string): Promise<Observed> {
    return await this.statistics.get(name);
  }

  async capacity(name: string): Promise<Capacity> {
    const volume = this.registry.get(name);
    return await volume.run('volume.fs-usage', () => volume.strategies.telemetry.capacity());
  }
}
