import { StorageError } from '../../errors/storage-error.js';
import type {
  Capacity,
  HardwareInfo,
  PerformanceMetric,
  Telemetry,
} from '../contract/telemetry.js';

/** Figures of a volume that holds nothing. */
export class NoopTelemetry implements Telemetry {
  readonly measuresPerformance = false;
  readonly knowsCapacityAtOnce = false;

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

  capacity(): Promise<Capacity> {
    return Promise.resolve({ capacityBytes: 0, usedBytes: 0 });
  }
}
