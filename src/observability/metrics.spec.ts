import {
  countObservation,
  meterTransfer,
  observeVolume,
  registry,
  renderMetrics,
  snapshotMetrics,
  watchBulkhead,
} from './metrics.js';

beforeEach(() => registry.resetMetrics());

describe('metrics', () => {
  it('closes a transfer once', async () => {
    const meter = meterTransfer('local', 'download');
    meter.add(10);
    meter.add(5);
    meter.close();
    meter.close();
    const text = await registry.metrics();
    expect(text).toContain(
      'backendai_storage_transfer_bytes_total{volume="local",kind="download"} 15',
    );
    expect(text).toContain('backendai_storage_active_transfers{volume="local",kind="download"} 0');
  });

  it('keeps the names of volume metrics that dashboards know', async () => {
    observeVolume('local', { iopsRead: 3, ioUsecWrite: 9.5 }, new Date());
    countObservation('local', 0.1);
    const text = await registry.metrics();
    expect(text).toContain('backendai_storage_volume_iops_read{volume="local"} 3');
    expect(text).toContain('backendai_storage_volume_latency_usec_write{volume="local"} 9.5');
    expect(text).toContain(
      'backendai_storage_volume_stats_observe_total{volume="local",status="success"} 1',
    );
  });

  it('adds up what several processes counted', async () => {
    watchBulkhead('local', () => ({ inFlight: 2, waiting: 1 }));
    const snapshot = structuredClone(await snapshotMetrics());
    const text = await renderMetrics([snapshot, structuredClone(snapshot)]);
    expect(text).toContain('backendai_storage_bulkhead_in_flight{volume="local"} 4');
  });
});
