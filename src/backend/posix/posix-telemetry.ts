import { StorageError } from '../../errors/storage-error.js';
import { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import type {
  Capacity,
  HardwareInfo,
  PerformanceMetric,
  Telemetry,
} from '../contract/telemetry.js';

/** What can be said of any mounted filesystem. */
export class PosixTelemetry implements Telemetry {
  readonly measuresPerformance = false;
  readonly knowsCapacityAtOnce = false;

  constructor(private readonly mountPath: string) {}

  hardwareInfo(): Promise<HardwareInfo> {
    return Promise.resolve({ status: 'healthy', statusInfo: null, metadata: {} });
  }

  performanceMetric(): Promise<PerformanceMetric> {
    return Promise.reject(
      new StorageError('UNSUPPORTED', 'This backend does not measure performance', {
        subject: 'volume',
      }),
    );
  }

  /** By statvfs(3) of the mount path; what is reserved for root counts as used (protocol section 3.3). */
  async capacity(): Promise<Capacity> {
    const mount = await Beneath.open(this.mountPath);
    try {
      const { fragmentBytes, blocks, blocksAvailable } = await calls.fstatvfs(mount.fd);
      return {
        capacityBytes: fragmentBytes * blocks,
        usedBytes: fragmentBytes * (blocks - blocksAvailable),
      };
    } finally {
      mount.close();
    }
  }
}
