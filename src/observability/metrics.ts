import {
  AggregatorRegistry,
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  Registry,
  type MetricObject,
} from 'prom-client';

/** The metrics of this process. The primary merges those of all workers, see {@link renderMetrics}. */
export const registry = new Registry();

const transferBytes = new Counter({
  name: 'backendai_storage_transfer_bytes_total',
  help: 'Bytes of file content sent to and received from clients',
  labelNames: ['volume', 'kind'] as const,
  registers: [registry],
});
const activeTransfers = new Gauge({
  name: 'backendai_storage_active_transfers',
  help: 'Transfers in progress',
  labelNames: ['volume', 'kind'] as const,
  registers: [registry],
});
const jobs = new Gauge({
  name: 'backendai_storage_jobs',
  help: 'Jobs that run or wait in this process',
  labelNames: ['volume', 'kind', 'state'] as const,
  registers: [registry],
});
const finishedJobs = new Counter({
  name: 'backendai_storage_jobs_finished_total',
  help: 'Jobs that ended, by outcome',
  labelNames: ['volume', 'kind', 'outcome'] as const,
  registers: [registry],
});
/** Shares of volumes change several times a request, and are looked at when somebody asks. */
interface ShareOfVolume {
  readonly inFlight: number;
  readonly waiting: number;
}
const shares = new Map<string, () => ShareOfVolume>();
const bulkheadInFlight = new Gauge({
  name: 'backendai_storage_bulkhead_in_flight',
  help: "File system calls of a volume that are running (of its share of the process's threads)",
  labelNames: ['volume'] as const,
  registers: [registry],
  collect() {
    for (const [volume, share] of shares) this.set({ volume }, share().inFlight);
  },
});
const bulkheadWaiting = new Gauge({
  name: 'backendai_storage_bulkhead_waiting',
  help: 'File system calls of a volume that wait for its share',
  labelNames: ['volume'] as const,
  registers: [registry],
  collect() {
    for (const [volume, share] of shares) this.set({ volume }, share().waiting);
  },
});
const bulkheadRefused = new Counter({
  name: 'backendai_storage_bulkhead_refused_total',
  help: "Calls refused because a volume's share was exhausted or did not answer in time",
  labelNames: ['volume'] as const,
  registers: [registry],
});
const workerRestarts = new Counter({
  name: 'backendai_storage_worker_restarts_total',
  help: 'Workers that ended unexpectedly and were replaced',
  registers: [registry],
});
const connections = new Gauge({
  name: 'backendai_storage_connections',
  help: 'Open connections of clients',
  labelNames: ['plane'] as const,
  registers: [registry],
});
const limitsReached = new Counter({
  name: 'backendai_storage_limit_reached_total',
  help: 'Requests and connections that were refused, cut off or made to wait by one of [limits]',
  labelNames: ['plane', 'limit'] as const,
  registers: [registry],
});
const authFailures = new Counter({
  name: 'backendai_storage_auth_failures_total',
  help: 'Requests with a wrong secret or a forged token',
  labelNames: ['plane'] as const,
  registers: [registry],
});
const auditRecords = new Counter({
  name: 'backendai_storage_audit_records_total',
  help: 'Audit records by what became of them',
  labelNames: ['outcome'] as const,
  registers: [registry],
});
const waitingEvents = new Gauge({
  name: 'backendai_storage_events_waiting',
  help: "Events on a volume's outbox that no manager has read yet",
  labelNames: ['volume'] as const,
  registers: [registry],
  // Every worker sees the same outbox.
  aggregator: 'max',
});
const volumeHealthy = new Gauge({
  name: 'backendai_storage_volume_healthy',
  help: '1 when the volume answered its last probe and every worker can use it, else 0',
  labelNames: ['volume'] as const,
  registers: [registry],
  aggregator: 'min',
});
const volumeMetrics = {
  iopsRead: volumeGauge('iops_read', 'Read operations per second'),
  iopsWrite: volumeGauge('iops_write', 'Write operations per second'),
  ioBytesRead: volumeGauge('throughput_bytes_read', 'Bytes read per second'),
  ioBytesWrite: volumeGauge('throughput_bytes_write', 'Bytes written per second'),
  ioUsecRead: volumeGauge('latency_usec_read', 'Read latency in microseconds'),
  ioUsecWrite: volumeGauge('latency_usec_write', 'Write latency in microseconds'),
} as const;
const volumeMetricUpdated = volumeGauge(
  'metric_last_updated_timestamp',
  'Unix time of the last performance metric',
);
const observations = new Counter({
  name: 'backendai_storage_volume_stats_observe_total',
  help: 'Attempts to read the performance metric of a volume',
  labelNames: ['volume', 'status'] as const,
  registers: [registry],
});
const observationDuration = new Histogram({
  name: 'backendai_storage_volume_stats_observe_duration_seconds',
  help: 'Seconds it took to read the performance metric of a volume',
  labelNames: ['volume'] as const,
  registers: [registry],
});

function volumeGauge(name: string, help: string) {
  return new Gauge({
    name: `backendai_storage_volume_${name}`,
    help,
    labelNames: ['volume'] as const,
    registers: [registry],
    // Every worker reads the same figures of the same volume.
    aggregator: 'average',
  });
}

export type TransferKind = 'download' | 'archive' | 'upload' | 'fetch';

/** A transfer that is counted as active until it is closed. */
export interface TransferMeter {
  add(bytes: number): void;
  /** Idempotent. */
  close(): void;
}

export function meterTransfer(volume: string, kind: TransferKind): TransferMeter {
  const bytesCounter = transferBytes.labels(volume, kind);
  const active = activeTransfers.labels(volume, kind);
  let open = true;
  active.inc();
  return {
    add: (bytes) => bytesCounter.inc(bytes),
    close: () => {
      if (open) active.dec();
      open = false;
    },
  };
}

/** Sets how many jobs of a kind are in a state in this process. */
export function setJobs(volume: string, kind: string, state: string, count: number): void {
  jobs.labels(volume, kind, state).set(count);
}

export function countFinishedJob(volume: string, kind: string, outcome: string): void {
  finishedJobs.labels(volume, kind, outcome).inc();
}

/** From now on `share` tells of the volume, until it is forgotten. */
export function watchBulkhead(volume: string, share: () => ShareOfVolume): void {
  shares.set(volume, share);
}

export function countBulkheadRefusal(volume: string): void {
  bulkheadRefused.labels(volume).inc();
}

export function setConnections(plane: string, count: number): void {
  connections.labels(plane).set(count);
}

/** What of `[limits]` was reached; few values. */
export type ReachedLimit =
  | 'connections'
  | 'idle-connections'
  | 'pipelining'
  | 'json-body-timeout'
  | 'auth-failures'
  | 'transfers-per-token'
  | 'transfers-per-volume';

export function countLimitReached(plane: string, limit: ReachedLimit): void {
  limitsReached.labels(plane, limit).inc();
}

export function countAudit(outcome: 'written' | 'lost', records: number): void {
  auditRecords.labels(outcome).inc(records);
}

export function countAuthFailure(plane: string): void {
  authFailures.labels(plane).inc();
}

/** For the primary. */
export function countWorkerRestart(): void {
  workerRestarts.inc();
}

/** What this process thinks of the volume; of several opinions in the group the worst counts. */
export function setVolumeHealth(volume: string, healthy: boolean): void {
  volumeHealthy.labels(volume).set(healthy ? 1 : 0);
}

export function setWaitingEvents(volume: string, count: number): void {
  waitingEvents.labels(volume).set(count);
}

/** Ends the series of a volume that is not configured any more, or its last value would be reported for ever. */
export function forgetVolume(volume: string): void {
  shares.delete(volume);
  for (const gauge of [
    volumeHealthy,
    bulkheadInFlight,
    bulkheadWaiting,
    volumeMetricUpdated,
    waitingEvents,
  ]) {
    gauge.remove(volume);
  }
  for (const gauge of Object.values(volumeMetrics)) gauge.remove(volume);
}

/** One reading of a volume's performance metric; missing members are left as they were. */
export function observeVolume(
  volume: string,
  reading: Partial<Record<keyof typeof volumeMetrics, number>>,
  observedAt: Date,
): void {
  for (const [key, value] of Object.entries(reading)) {
    volumeMetrics[key as keyof typeof volumeMetrics].labels(volume).set(value);
  }
  volumeMetricUpdated.labels(volume).set(observedAt.getTime() / 1000);
}

/** A reading that was made here, and the seconds it took. */
export function countObservation(volume: string, seconds: number): void {
  observations.labels(volume, 'success').inc();
  observationDuration.labels(volume).observe(seconds);
}

export function countFailedObservation(volume: string): void {
  observations.labels(volume, 'failure').inc();
}

/** Adds the process's own metrics (memory, event loop, descriptors). Once per process. */
export function collectProcessMetrics(): void {
  collectDefaultMetrics({ register: registry });
}

/** The state of this process's metrics, fit for an IPC message. */
export function snapshotMetrics(): Promise<MetricObject[]> {
  return registry.getMetricsAsJSON();
}

/** `Content-Type` of {@link renderMetrics}. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Prometheus text of several processes' snapshots added up. */
export async function renderMetrics(snapshots: MetricObject[][]): Promise<string> {
  return AggregatorRegistry.aggregate(snapshots).metrics();
}
