export interface HardwareInfo {
  readonly status: 'healthy' | 'degraded' | 'offline' | 'unavailable';
  readonly statusInfo: string | null;
  /** Values are text; nested data is JSON text (the manager type-checks this strictly). */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Rates at one moment: operations/s, bytes/s, microseconds per operation. */
export interface PerformanceMetric {
  readonly iopsRead: number;
  readonly iopsWrite: number;
  readonly ioBytesRead: number;
  readonly ioBytesWrite: number;
  readonly ioUsecRead: number;
  readonly ioUsecWrite: number;
}

/** Bytes; -1 means unknown on this wire. */
export interface Capacity {
  readonly capacityBytes: number;
  readonly usedBytes: number;
}

export interface Telemetry {
  /** Whether `performanceMetric` works. */
  readonly measuresPerformance: boolean;
  /** Whether the maker's own counters answer `capacity`, rather than statfs(2) of the mount. */
  readonly knowsCapacityAtOnce: boolean;

  hardwareInfo(): Promise<HardwareInfo>;
  /** Throws StorageError `UNSUPPORTED` where the backend measures nothing. */
  performanceMetric(): Promise<PerformanceMetric>;
  capacity(): Promise<Capacity>;

  /**
   * What is wrong with the hardware although the volume works, one clause each, for operators: what is known now, without
   * asking anybody. Left out by backends that know nothing of their hardware.
   */
  troubles?(): readonly string[];
}
