import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { EtcdServer } from '../support/etcd-server.js';
import { newVFolderId } from '../support/ids.js';
import { ManagerEvents } from '../support/manager-events.js';
import { TestServer } from '../support/server.js';
import { describeWith, VALKEY, ValkeyServer } from '../support/valkey-server.js';

const MAIN = join(process.cwd(), 'dist', 'main.js');

interface Row {
  readonly service_group: string;
  readonly is_healthy: boolean;
  readonly error_message: string | null;
}

async function rows(server: TestServer, group: string): Promise<Row[]> {
  const { json } = await server.manager('GET', '/health');
  const { connectivity_checks: checks } = json['connectivity'] as { connectivity_checks: Row[] };
  return checks.filter((row) => row.service_group === group);
}

describeWith(
  VALKEY,
  'etcd',
  'etcdctl',
)('etcd', () => {
  let etcd: EtcdServer;
  let valkey: ValkeyServer;
  let server: TestServer;

  beforeAll(async () => {
    etcd = await EtcdServer.prepare();
    valkey = await ValkeyServer.start({ password: 'the-password-of-valkey' });
    const config = {
      etcd: { namespace: 'lab', addr: etcd.address, user: 'proxy', password: 'etcd-password' },
      'service-discovery': { type: 'redis' },
    };
    server = await TestServer.start({ config });
  });

  afterAll(async () => {
    await server?.stop();
    await valkey?.remove();
    await etcd?.remove();
  });

  async function roundTrip(): Promise<void> {
    const vfid = newVFolderId('scoped');
    const folder = { volume: 'local', vfid };
    expect((await server.manager('POST', '/folder/create', folder)).status).toBe(204);
    const upload = await server.manager('POST', '/folder/file/upload', {
      ...folder,
      relpath: 'f',
      size: 1,
    });
    expect(upload.status).toBe(200);
    expect((await server.manager('POST', '/folder/delete', folder)).status).toBe(202);
  }

  it('is not needed to serve everything else, and /health says so', async () => {
    await roundTrip();
    const [row] = await rows(server, 'etcd');
    expect(row).toMatchObject({ is_healthy: false });
    expect(row!.error_message).toContain(etcd.address);
    const [absent] = await rows(server, 'redis');
    expect(absent!.error_message).toContain('managers up to 24.09');
  });

  it('tells, when it comes, that there is no Valkey yet, and later where it is', async () => {
    await etcd.start();
    etcd.put('/sorna/lab/config/redis/addr', valkey.address);
    etcd.put('/sorna/lab/config/redis/password', 'not-the-password');
    // What is set for this node wins.
    etcd.put('/sorna/lab/nodes/storage/test/config/redis/password', 'the-password-of-valkey');
    etcd.protect('proxy', 'etcd-password');
    const isGood = async (): Promise<boolean> => {
      const all = [...(await rows(server, 'etcd')), ...(await rows(server, 'redis'))];
      return all.length === 4 && all.every((row) => row.is_healthy);
    };
    await server.until('etcd and Valkey to be in use', isGood, 40_000);
    const manager = await new ManagerEvents(valkey).start();
    const vfid = newVFolderId('scoped');
    await server.manager('POST', '/folder/create', { volume: 'local', vfid });
    await server.manager('POST', '/folder/delete', { volume: 'local', vfid });
    expect((await manager.until(vfid))[0]!.name).toBe('vfolder_deletion_success');
    await manager.stop();
    expect(server.output).not.toContain('the-password-of-valkey');
  });

  it('is registered for service discovery', async () => {
    const client = valkey.client(0);
    let keys: string[] = [];
    await server.until('the registration', async () => {
      keys = await client.keys('service_discovery.storage-proxy.*');
      return keys.length > 0;
    });
    expect(keys).toHaveLength(1);
    const fields = await client.hgetall(keys[0]!);
    const entry = Object.fromEntries(
      Object.entries(fields).map(([k, v]) => [k, JSON.parse(v) as unknown]),
    );
    expect(entry).toMatchObject({
      id: keys[0]!.slice(-36),
      display_name: 'storage-test',
      service_group: 'storage-proxy',
      endpoint: {
        address: '127.0.0.1',
        port: 6022,
        protocol: 'http',
        prometheus_address: 'host.docker.internal:6023',
      },
      labels: {},
    });
    expect(await client.ttl(keys[0]!)).toBeGreaterThan(100);
  });

  it('is told by "register" where the proxy is, which may be repeated', () => {
    const register = (...args: string[]): string =>
      execFileSync(
        process.execPath,
        [MAIN, 'register', '-f', server.configFile, '--name', 'proxy one', ...args],
        { encoding: 'utf8' },
      );
    const options = ['--client-url', 'https://data.example.org/', '--default-volume', 'local'];
    expect(register(...options, '--dry-run')).toContain('would write');
    expect(etcd.below('/sorna/lab/volumes/')).toEqual({});
    const said = register(...options);
    expect(said).not.toContain(server.secret);
    expect(etcd.below('/sorna/lab/volumes/')).toEqual({
      '/sorna/lab/volumes/default_host': 'proxy one:local',
      '/sorna/lab/volumes/proxies/proxy%20one/client_api': 'https://data.example.org',
      '/sorna/lab/volumes/proxies/proxy%20one/manager_api': 'http://127.0.0.1:6022',
      '/sorna/lab/volumes/proxies/proxy%20one/secret': server.secret,
      '/sorna/lab/volumes/proxies/proxy%20one/ssl_verify': 'true',
    });
    expect(register(...options)).not.toContain('written');
  });

  it('is not registered for service discovery any more when it has stopped', async () => {
    server.signal('SIGTERM');
    await server.ended();
    expect(await valkey.client(0).keys('service_discovery.*')).toEqual([]);
  });
});
