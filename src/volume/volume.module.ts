import { Module, type DynamicModule } from '@nestjs/common';
import { Archives } from './archives/archives.js';
import { DOMAIN_SETTINGS, type DomainSettings } from './domain-settings.js';
import { DownloadBases } from './downloads/download-bases.js';
import { Downloads } from './downloads/downloads.js';
import { UnmanagedTrees } from './downloads/unmanaged-trees.js';
import { Files } from './files/files.js';
import { JobPublisher, LogJobPublisher } from './jobs/job-publisher.js';
import { JOB_SERVICES } from './jobs/job-services.js';
import { QuotaAdmission } from './quota-admission/quota-admission.js';
import { QuotaScopes } from './quota-scopes.js';
import { NoStatisticsStore, StatisticsStore } from './statistics/statistics-store.js';
import { VolumeStatistics } from './statistics/volume-statistics.js';
import { TransferTokens } from './tokens/transfer-tokens.js';
import { NoUploadLeases, UploadLeases } from './uploads/upload-leases.js';
import { UploadSweeper } from './uploads/upload-sweeper.js';
import { Uploads } from './uploads/uploads.js';
import { VFolders } from './vfolders.js';
import { VolumeRegistry } from './volume-registry.js';
import { VolumeService } from './volume.service.js';
import { WorkerBus } from './worker-bus.js';

export interface VolumeModuleOptions {
  readonly settings: DomainSettings;
  readonly bus: WorkerBus;
  /** A module that exports `BackendCatalog`. */
  readonly backends: DynamicModule;
  /** Told what becomes of jobs; the log by default. */
  readonly publisher?: JobPublisher;
  /** What proxies agree on about uploads; locks of files by default. */
  readonly leases?: UploadLeases;
  /** Where readings of volumes are shared; nowhere by default. */
  readonly statistics?: StatisticsStore;
}

const SERVICES = [
  VolumeRegistry,
  QuotaScopes,
  VFolders,
  Files,
  TransferTokens,
  QuotaAdmission,
  UploadSweeper,
  Uploads,
  UnmanagedTrees,
  DownloadBases,
  Downloads,
  Archives,
  ...JOB_SERVICES,
  VolumeStatistics,
  VolumeService,
];

/** The domain, once per process; the planes are handed its VolumeService. Whoever composes it opens and closes the registry. */
@Module({})
export class VolumeModule {
  static forRoot(options: VolumeModuleOptions): DynamicModule {
    const { settings, bus, backends, publisher, leases, statistics } = options;
    return {
      module: VolumeModule,
      imports: [backends],
      providers: [
        { provide: DOMAIN_SETTINGS, useValue: settings },
        { provide: WorkerBus, useValue: bus },
        { provide: JobPublisher, useValue: publisher ?? new LogJobPublisher() },
        { provide: StatisticsStore, useValue: statistics ?? new NoStatisticsStore() },
        { provide: UploadLeases, useValue: leases ?? new NoUploadLeases() },
        ...SERVICES,
      ],
      exports: [VolumeService, UnmanagedTrees],
    };
  }
}
