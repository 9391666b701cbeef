import {
  countObservation,
  meterTransfer,
  observeRequest,
  observeVolume,
  registry,
  renderMetrics,
  setBulkhead,
  snapshotMetrics,
} from './metrics.js';

beforeEach(() => registry.resetMetrics());

describe('metrics', () => {
  it('counts requests by route and error', async () => {
    const request = { method: 'GET', endpoint: '/jobs/:id', statusCode: 404, seconds: 0.02 };
    observeRequest({ ...request, errorCode: 'bgtask_read_not-found' });
    observeRequest({ ...request, statusCode: 200 });
    const text = await registry.metrics();
    expect(text).toContain(
      'backendai_api_request_count_total{method="GET",endpoint="/jobs/:id",domain="bgtask",operation="read",error_detail="not-found",status_code="404"} 1',
    );
    expect(text).toContain(
      'backendai_api_request_duration_sec_bucket{le="0.05",method="GET",endpoint="/jobs/:id",domain="",operation="",error_detail="",status_code="200"} 1',
    );
  });

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
    setBulkhead('local', 2, 1);
    const snapshot = structuredClone(await snapshotMetrics());
    const text = await renderMetrics([snapshot, structuredClone(snapshot)]);
    expect(text).toContain('backendai_storage_bulkhead_in_flight{volume="local"} 4');
  });
});
