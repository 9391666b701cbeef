import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from '../support/http.js';
import { PuritySimulator } from '../support/purity-simulator/purity-simulator.js';
import { TestServer } from '../support/server.js';
import { describeWith, VALKEY, ValkeyServer } from '../support/valkey-server.js';

const KEY = 'storage:volume_stats:blade';
const TTL_SECONDS = 600;

describeWith(VALKEY)('figures of a volume that proxies share', () => {
  let valkey: ValkeyServer;
  let array: PuritySimulator;
  let directory: string;
  let one: TestServer;
  let two: TestServer;

  beforeAll(async () => {
    valkey = await ValkeyServer.start();
    array = await PuritySimulator.start();
    directory = mkdtempSync(join(tmpdir(), 'statistics-'));
    writeFileSync(join(directory, 'version.txt'), '3\n');
    one = await start('one');
    await one.until('a reading to be shared', async () => (await cached()) !== null);
    two = await start('two');
  });

  afterAll(async () => {
    await two?.stop();
    await one?.stop();
    await array?.stop();
    await valkey?.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  function start(node: string): Promise<TestServer> {
    const options = {
      purity_endpoint: array.endpoint,
      purity_api_token: array.apiToken,
      purity_fs_name: 'vfolders',
      rapidfile: 'off',
      require_nfs: false,
    };
    return TestServer.start({
      config: {
        // Longer than the suite: what two tells it has from one.
        'storage-proxy': {
          'node-id': node,
          'volume-stats': { 'observe-interval': TTL_SECONDS, 'cache-ttl': TTL_SECONDS },
        },
        volume: { blade: { backend: 'purestorage', path: directory, options } },
        valkey: { addr: valkey.address, 'request-timeout': 60 },
      },
    });
  }

  const cached = async (): Promise<Record<string, unknown> | null> => {
    const text = await valkey.client(0).get(KEY);
    return text === null ? null : (JSON.parse(text) as Record<string, unknown>);
  };
  const measured = async (server: TestServer): Promise<Record<string, unknown>> =>
    (await server.manager('GET', '/volume/performance-metric', { volume: 'blade' })).json;
  const readings = (): number =>
    array.seen.filter(({ url }) => url.pathname.endsWith('/performance')).length;

  it('are in the key of the original, as the original writes them', async () => {
    const { metric, observed_at: observedAt } = await measured(one);
    expect(await cached()).toEqual({
      volume_name: 'blade',
      ...(metric as object),
      observed_at: observedAt,
    });
    expect(observedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    const ttl = await valkey.client(0).ttl(KEY);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(TTL_SECONDS);
  });

  it('are told by the other proxy without asking the array again, and are its metrics', async () => {
    const before = readings();
    expect(await measured(two)).toEqual(await measured(one));
    expect(readings()).toBe(before);
    await two.until('the metrics', async () => {
      const { text } = await send('GET', `${two.internalUrl}/metrics`);
      return text.includes('backendai_storage_volume_iops_read{volume="blade"}');
    });
    const { text } = await send('GET', `${two.internalUrl}/metrics`);
    for (const family of [
      'iops_read',
      'iops_write',
      'throughput_bytes_read',
      'throughput_bytes_write',
      'latency_usec_read',
      'latency_usec_write',
      'metric_last_updated_timestamp',
    ]) {
      expect(text).toContain(`backendai_storage_volume_${family}{volume="blade"}`);
    }
  });

  it('are read from the array where Valkey does not answer', async () => {
    await two.stop();
    valkey.signal('SIGSTOP');
    try {
      two = await start('two');
      expect((await measured(two))['metric']).toEqual((await measured(one))['metric']);
    } finally {
      valkey.signal('SIGCONT');
    }
  });
});
