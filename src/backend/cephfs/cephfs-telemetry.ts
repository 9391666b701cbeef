import type {
  Capacity,
  HardwareInfo,
  PerformanceMetric,
  Telemetry,
} from '../contract/telemetry.js';
import { PosixTelemetry } from '../posix/posix-telemetry.js';
import type { CephMount } from './ceph-mount-check.js';
import type { CephPerformance } from './ceph-performance.js';

/** Capacity by statfs(2), which CephFS answers from the cluster; performance where the metrics of Ceph can be read. */
export class CephTelemetry implements Telemetry {
  readonly knowsCapacityAtOnce = false;
  readonly #posix: PosixTelemetry;

  constructor(
    mountPath: string,
    private readonly mount: CephMount,
    private readonly performance: CephPerformance | null,
  ) {
    this.#posix = new PosixTelemetry(mountPath);
  }

  get measuresPerformance(): boolean {
    return this.performance !== null;
  }

  hardwareInfo(): Promise<HardwareInfo> {
    const { clusterId, pool } = this.mount;
    const metadata = {
      ...(clusterId !== null && { cluster_fsid: clusterId }),
      ...(pool !== null && { data_pool: pool }),
    };
    return Promise.resolve({ status: 'healthy', statusInfo: null, metadata });
  }

  performanceMetric(): Promise<PerformanceMetric> {
    return this.performance?.measure() ?? this.#posix.performanceMetric();
  }

  capacity(): Promise<Capacity> {
    return this.#posix.capacity();
  }
}
