import { ClusterServices } from '../cluster-services.js';
import { EtcdProbe } from './etcd-probe.js';

describe('EtcdProbe', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('asks every minute, and says what is wrong until it is not', async () => {
    const asked: string[] = [];
    let problem: Error | null = new Error('nobody there');
    const probe = new EtcdProbe({
      getGlobal: async (key) => {
        asked.push(key);
        if (problem) throw problem;
        return await Promise.resolve(null);
      },
    });
    expect(probe.state()).toMatchObject({ healthy: false });
    await probe.start();
    expect(probe.state()).toMatchObject({
      group: 'etcd',
      id: 'etcd',
      healthy: false,
      message: 'nobody there',
    });
    problem = null;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(probe.state()).toMatchObject({ healthy: true, message: null });
    expect(asked).toEqual(['_', '_']);
    probe.stop();
    await jest.advanceTimersByTimeAsync(120_000);
    expect(asked).toHaveLength(2);
  });
});

it('etcd has its row in health reports although the file says where Valkey is', async () => {
  const nowhere = { host: '127.0.0.1', port: 1 };
  const services = new ClusterServices({
    nodeId: 'test',
    valkey: {
      address: nowhere,
      sentinels: [],
      serviceName: null,
      username: null,
      password: null,
      sentinelPassword: null,
      tls: 'off',
      requestTimeoutMs: 1_000,
    },
    etcd: { namespace: 'local', addresses: [nowhere], user: null, password: null },
    uploadRegistry: false,
    discovery: null,
  });
  const rows = services.states().map(({ group, id }) => `${group}:${id}`);
  expect(rows).toContain('etcd:etcd');
  await services.close();
});
