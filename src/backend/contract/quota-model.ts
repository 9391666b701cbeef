/** Usage and limit of a quota scope or vfolder; `null` where the backend does not know. Bytes. */
export interface QuotaStatus {
  readonly usedBytes: number | null;
  /** `null`: unknown or, where limits are supported, none set. */
  readonly limitBytes: number | null;

  /** Files, directories and links, the directory itself included; left out where nobody counts them. */
  readonly usedInodes?: number;
  /** Those below are there only when they are set. */
  readonly limitInodes?: number;
  /** May be exceeded until the grace period ends. */
  readonly softLimitBytes?: number;
  readonly softLimitInodes?: number;
  /** Seconds since the epoch when a soft limit that is exceeded begins to bind. */
  readonly bytesGraceEndsAt?: number;
  readonly inodesGraceEndsAt?: number;
  /** Set when the usage comes from counters that may be so far behind what has been written. */
  readonly lagSeconds?: number;
}

/**
 * Quotas of one volume. Directories are named by their path below the mount path. The caller has made or
 * checked the directory and holds no lock; every call may be repeated.
 *
 * Errors: StorageError `UNSUPPORTED` for what the backend cannot do, `INVALID_ARGUMENT` with subject
 * `quota-scope` for a refused limit; system errors as they are.
 */
export interface QuotaModel {
  /** Mode of a new scope directory before the umask (protocol section 2.7). */
  readonly scopeMode: number;

  /** Whether limits are enforced on quota scopes. */
  readonly enforcesScopes: boolean;
  /** Whether limits are enforced on single vfolders of unscoped ids. */
  readonly enforcesVFolders: boolean;

  /**
   * Whether writers can go beyond a limit for a while before the filesystem stops them, so that the proxy looks at
   * the usage itself while it writes.
   */
  readonly enforcesLate: boolean;
  /** How far `usedBytes` may be behind what has been written and deleted, milliseconds; 0 where it is exact. */
  readonly usageLagMs: number;

  /** Called once on the new, empty scope directory. */
  initialiseScope(scopePath: Buffer, limitBytes: number | null): Promise<void>;
  describeScope(scopePath: Buffer): Promise<QuotaStatus>;
  /** `null` removes the limit. */
  updateScope(scopePath: Buffer, limitBytes: number | null): Promise<void>;
  /** Releases what `initialiseScope` claimed; the directory is empty and removed by the caller afterwards. */
  releaseScope(scopePath: Buffer): Promise<void>;

  /** Called once on the new, empty vfolder of an unscoped id; `null` means no limit was asked for. */
  initialiseVFolder(vfolderPath: Buffer, limitBytes: number | null): Promise<void>;
  describeVFolder(vfolderPath: Buffer): Promise<QuotaStatus>;
  updateVFolder(vfolderPath: Buffer, limitBytes: number | null): Promise<void>;
  /**
   * Called before a vfolder of an unscoped id is moved to where it is deleted: notes on it what says by its path which
   * quota is its own.
   */
  prepareRelease?(vfolderPath: Buffer): Promise<void>;
  releaseVFolder(vfolderPath: Buffer): Promise<void>;
}
