import type { VolumeSettings } from '../backend/contract/backend.js';

/** Uploads; times in milliseconds. */
interface UploadSettings {
  /** How long a request waits for an upload that another one holds, or a volume that is away, before it is refused. */
  readonly lockWaitMs: number;
  /** A body that stands still for so long is given up; what arrived is kept. */
  readonly idleTimeoutMs: number;
  /** Age from which an upload nobody writes to is swept; never below the tokens' lifetime. */
  readonly stagingMaxAgeMs: number;
  /** How long a finished upload answers a client whose last answer was lost. */
  readonly finishedRetentionMs: number;
  /** How often a volume is swept of both. */
  readonly sweepIntervalMs: number;
}

/** Downloads and archives. */
interface DownloadSettings {
  /** A transfer whose client takes nothing for so long (ms) is cut off. */
  readonly idleTimeoutMs: number;
  /** 0 stores the content of archives as it is, 1 is fastest, 9 smallest. */
  readonly compressionLevel: number;
}

/** Jobs; times in milliseconds. */
interface JobSettings {
  /** How long a finished job stays listed. */
  readonly retentionMs: number;
  /** Jobs a worker runs at a time on one volume; the others wait. */
  readonly concurrency: number;
  /** How often a running job says that its holder lives, and the silence after which others take over. */
  readonly heartbeatMs: number;
  readonly expiredAfterMs: number;
}

/** Readings of what volumes measure of themselves; times in milliseconds. */
interface VolumeStatsSettings {
  readonly observeIntervalMs: number;
  readonly observeTimeoutMs: number;
  readonly cacheTtlMs: number;
}

/** What the domain needs to know of the configuration, as plain checked values. */
export interface DomainSettings {
  readonly volumes: readonly VolumeSettings[];
  /** Most entries of one `file/list` answer; 0 means no limit. */
  readonly scandirLimit: number;
  readonly maxUploadSizeBytes: number;
  /** The first signs, all verify: a secret is rotated by putting the new one first. */
  readonly tokenKeys: readonly string[];
  readonly tokenLifetimeMs: number;
  /** Whether `folder/create` makes a missing quota scope. */
  readonly autoCreateQuotaScope: boolean;
  /** Absolute host directories below which `unmanaged_path` is accepted. */
  readonly unmanagedRoots: readonly string[];
  /** Deadline of one metadata operation on a volume. */
  readonly operationDeadlineMs: number;
  /** Deadline of a walk over a whole vfolder for its usage. */
  readonly usageDeadlineMs: number;
  /** Most calls in flight on one volume: its share of libuv's thread pool. */
  readonly bulkheadShare: number;
  readonly uploads: UploadSettings;
  readonly downloads: DownloadSettings;
  readonly jobs: JobSettings;
  readonly volumeStats: VolumeStatsSettings;
  /** Names this host in heartbeats; unique among proxies that share a volume. */
  readonly nodeId: string;
}

/** Injection token of {@link DomainSettings}. */
export const DOMAIN_SETTINGS = Symbol('DOMAIN_SETTINGS');
