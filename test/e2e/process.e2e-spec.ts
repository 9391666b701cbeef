import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type PeerCertificate } from 'node:tls';
import { makeCertificate } from '../support/certificate.js';
import { begin, send } from '../support/http.js';
import {
  childrenOf,
  environmentOf,
  isRunning,
  statusOf,
  type ProcessInfo,
} from '../support/processes.js';
import { TestServer } from '../support/server.js';

const VFID = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const NOBODY = 65_534;
const BIG_BYTES = 64 * 1024 * 1024;
const CUT_OFF = 'Some requests did not end in time and are cut off';
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('SKIPPED: the test of unprivileged workers, which needs root\n');

// Each of them starts processes, which takes long on a busy machine.
jest.setTimeout(180_000);

const workersOf = (server: TestServer): ProcessInfo[] =>
  childrenOf(server.pid).filter(({ title }) => title.startsWith('storage-proxy: worker'));

/** A vfolder with a file that is too large for socket buffers; returns the URL to download it. */
async function offerBigFile(server: TestServer): Promise<string> {
  const created = await server.manager('POST', '/folder/create', { volume: 'local', vfid: VFID });
  expect(created.status).toBe(204);
  const mount = await server.manager('GET', '/folder/mount', {
    volume: 'local',
    vfid: VFID,
    subpath: '.',
  });
  writeFileSync(join(String(mount.json['path']), 'big'), Buffer.alloc(BIG_BYTES, 'x'));
  const issued = await server.manager('POST', '/folder/file/download', {
    volume: 'local',
    vfid: VFID,
    relpath: 'big',
  });
  return `${server.clientUrl}/download?token=${String(issued.json['token'])}`;
}

/** Begins a download and takes nothing of it. */
async function beginDownload(url: string): Promise<IncomingMessage> {
  const request = begin('GET', url);
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.pause();
  // One that is cut off ends with an error.
  response.on('error', () => undefined);
  return response;
}

async function takeRest(response: IncomingMessage): Promise<number> {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => (bytes += chunk.length));
  response.resume();
  if (!response.closed) await new Promise((resolve) => response.once('close', resolve));
  return bytes;
}

async function readyzOf(server: TestServer): Promise<number> {
  return (await send('GET', `${server.internalUrl}/readyz`)).status;
}

describe('a process group of two workers', () => {
  const secret = 'a-secret-given-by-environment';
  const asManager = { 'x-backendai-storage-auth-token': secret };
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start({
      env: { STORAGE_PROXY__API__MANAGER__SECRET: secret },
      config: { 'storage-proxy': { 'num-proc': 2 }, server: { 'thread-pool-size': 17 } },
    });
  });
  afterAll(() => server?.stop());

  const listVolumes = async (): Promise<number> => {
    const answer = () => send('GET', `${server.managerUrl}/volumes`, asManager);
    // A worker that is killed takes the connections along that it had accepted.
    return (await answer().catch(answer)).status;
  };

  it('shows what its processes are for', () => {
    expect(
      childrenOf(server.pid)
        .map(({ title }) => title)
        .toSorted(),
    ).toEqual(['storage-proxy: prober', 'storage-proxy: worker 1', 'storage-proxy: worker 2']);
  });

  it('keeps secrets out of environments and command lines', () => {
    for (const { pid, title } of childrenOf(server.pid)) {
      expect(title).not.toContain(secret);
      expect(environmentOf(pid)).not.toContain(secret);
    }
    expect(environmentOf(workersOf(server)[0]!.pid)).toContain('UV_THREADPOOL_SIZE=17\n');
    expect(server.output).not.toContain(secret);
  });

  it('adds up the metrics of all workers, whichever is asked', async () => {
    const workersHeard = () =>
      new Set(
        server.log.filter(({ url }) => url === '/volumes').map(({ worker }) => worker as number),
      );
    let requests = 0;
    await server.until('both workers to be heard', async () => {
      await listVolumes();
      requests += 1;
      return workersHeard().size === 2;
    });
    for (let reading = 0; reading < 4; reading++) {
      const { text, headers } = await send('GET', `${server.internalUrl}/metrics`);
      expect(headers['content-type']).toMatch(/^text\/plain;.*charset=utf-8/);
      const [, count] =
        /backendai_api_request_count_total\{[^}]*"\/volumes"[^}]*\} (\d+)\n/.exec(text) ?? [];
      expect(Number(count)).toBe(requests);
      expect(text).toContain('backendai_storage_volume_healthy{volume="local"} 1\n');
    }
  });

  it('replaces a worker that was killed, while the other serves on', async () => {
    process.kill(workersOf(server)[0]!.pid, 'SIGKILL');
    const answers = await Promise.all(Array.from({ length: 10 }, listVolumes));
    expect(answers).toEqual(Array(10).fill(200));
    const served = () => server.log.filter(({ msg }) => msg === 'Worker takes requests').length;
    await server.until('the replacement', () => served() === 3, 60_000);
    expect(workersOf(server)).toHaveLength(2);
    const { text } = await send('GET', `${server.internalUrl}/metrics`);
    expect(text).toContain('backendai_storage_worker_restarts_total 1');
  });

  it('takes its children along, even when it is killed', async () => {
    const children = childrenOf(server.pid);
    server.signal('SIGKILL');
    await server.ended();
    await server.until('the children to end', () => !children.some(({ pid }) => isRunning(pid)));
  });
});

describe('SIGTERM', () => {
  let server: TestServer;
  afterEach(() => server?.stop());

  it('fails readiness, then stops accepting, and lets a running download finish', async () => {
    server = await TestServer.prepare();
    const pidFile = join(server.directory, 'proxy.pid');
    server.configure({
      'storage-proxy': { 'pid-file': pidFile },
      server: { 'drain-delay': '2s', 'shutdown-timeout': '60s' },
    });
    await server.launch();
    expect(readFileSync(pidFile, 'utf8')).toBe(`${server.pid}\n`);
    const response = await beginDownload(await offerBigFile(server));

    server.signal('SIGTERM');
    await server.until('readiness to fail', async () => (await readyzOf(server)) === 503);
    const answer = await server.manager('GET', '/volumes');
    expect(answer.status).toBe(200);
    expect(answer.headers.connection).toBe('close');

    const refused = () =>
      send('GET', `${server.clientUrl}/`).then(
        () => false,
        () => true,
      );
    await server.until('connections to be refused', refused);
    expect((await send('GET', `${server.internalUrl}/livez`)).status).toBe(200);
    expect(server.isRunning).toBe(true);

    await expect(takeRest(response)).resolves.toBe(BIG_BYTES);
    await expect(server.ended()).resolves.toEqual({ code: 0, signal: null });
    expect(existsSync(pidFile)).toBe(false);
  });

  it('cuts transfers off at the end of their time', async () => {
    server = await TestServer.start({ config: { server: { 'shutdown-timeout': '1s' } } });
    const response = await beginDownload(await offerBigFile(server));
    server.signal('SIGTERM');
    await expect(server.ended()).resolves.toEqual({ code: 0, signal: null });
    expect(await takeRest(response)).toBeLessThan(BIG_BYTES);
    expect(server.log.map(({ msg }) => msg)).toContain(CUT_OFF);
  });

  it('is hurried by a second signal', async () => {
    server = await TestServer.start({ config: { server: { 'shutdown-timeout': '10m' } } });
    await beginDownload(await offerBigFile(server));
    server.signal('SIGTERM');
    await sleep(1_500);
    expect(server.isRunning).toBe(true);
    server.signal('SIGINT');
    await expect(server.ended()).resolves.toEqual({ code: 0, signal: null });
  });
});

describe('SIGHUP', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start();
  });
  afterAll(() => server?.stop());

  it('changes nothing when the configuration cannot be used', async () => {
    server.configure({ volume: { local: { backend: 'vsf' } } });
    server.signal('SIGHUP');
    await server.until('the complaint', () =>
      server.log.some(({ msg }) => msg.includes('did you mean "vfs"?')),
    );
    expect((await server.manager('GET', '/volumes')).json['volumes']).toHaveLength(1);
  });

  it('rotates the manager secret and the token key', async () => {
    const url = await offerBigFile(server);
    server.configure({
      api: { manager: { secret: 'the-new-secret-of-the-manager' } },
      'storage-proxy': { secret: 'the-new-key-of-the-tokens' },
      secrets: { 'jwt-keys': [server.jwtKey] },
    });
    server.signal('SIGHUP');
    await server.until(
      'the old secret to be refused',
      async () => (await server.manager('GET', '/volumes')).status === 403,
    );
    // Tokens that are out there stay good as long as their key is listed.
    expect((await send('HEAD', url)).status).toBe(200);
    const headers = { 'x-backendai-storage-auth-token': 'the-new-secret-of-the-manager' };
    expect((await send('GET', `${server.managerUrl}/volumes`, headers)).status).toBe(200);
    expect(server.output).not.toContain('the-new-');
    server.configure({});
    server.signal('SIGHUP');
    await server.until(
      'the secret to be as it was',
      async () => (await server.manager('GET', '/volumes')).status === 200,
    );
    expect((await send('HEAD', url)).status).toBe(200);
  });

  it('takes volumes and the log level over, and names what needs a restart', async () => {
    const more = join(server.directory, 'more');
    mkdirSync(more);
    server.configure({
      volume: { more: { backend: 'vfs', path: more } },
      logging: { level: 'DEBUG' },
      'storage-proxy': { 'scandir-limit': 7 },
    });
    server.signal('SIGHUP');
    await server.until('the new volume', async () => {
      const { text } = await server.manager('GET', '/volumes');
      return text.includes('"name":"more"');
    });
    const warning = server.log.find(({ msg }) => msg === 'Changes that need a restart');
    expect(warning).toMatchObject({ keys: ['storageProxy.scandirLimit'] });
    await server.until('the probe of the new volume', async () => {
      const { text } = await send('GET', `${server.internalUrl}/metrics`);
      return text.includes('backendai_storage_volume_healthy{volume="more"} 1');
    });
    await server.until('finer logs', () => server.log.some(({ level }) => level === 'debug'));
  });
});

describe('TLS, and workers without privileges', () => {
  let server: TestServer;
  let certificate: ReturnType<typeof makeCertificate>;

  beforeAll(async () => {
    server = await TestServer.prepare();
    certificate = makeCertificate(server.directory, 'first');
    // Only the primary may read it.
    chmodSync(certificate.key, 0o600);
    server.configure({
      'storage-proxy': isRoot ? { user: 'nobody', group: NOBODY } : {},
      api: {
        manager: {
          'ssl-enabled': true,
          'ssl-cert': certificate.cert,
          'ssl-privkey': certificate.key,
        },
      },
    });
    if (isRoot) chownSync(server.volumePath(), NOBODY, NOBODY);
    await server.launch();
  });
  afterAll(() => server?.stop());

  async function organisation(): Promise<unknown> {
    const options = { port: server.ports.manager, rejectUnauthorized: false };
    const socket = connect({ ...options, host: '127.0.0.1' });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>;
    socket.destroy();
    return subject?.O;
  }

  it('serves HTTPS on the plane that asks for it', async () => {
    await expect(organisation()).resolves.toBe('first');
    expect((await send('GET', `${server.clientUrl}/`)).status).toBe(200);
    await expect(send('GET', `${server.managerUrl}/`)).rejects.toThrow();
  });

  it('renews the certificate on SIGHUP', async () => {
    makeCertificate(server.directory, 'second');
    server.signal('SIGHUP');
    await server.until('the new certificate', async () => (await organisation()) === 'second');
  });

  (isRoot ? it : it.skip)('runs workers and probers as the configured user', async () => {
    const nobody = Array(4).fill(String(NOBODY));
    for (const { pid } of childrenOf(server.pid)) {
      expect(statusOf(pid, 'Uid')).toEqual(nobody);
      expect(statusOf(pid, 'Gid')).toEqual(nobody);
      expect(statusOf(pid, 'Groups')).toEqual([]);
    }
    expect(statusOf(server.pid, 'Uid')[0]).toBe('0');
    const records = join(server.volumePath(), '.storage-proxy');
    await server.until('a probe', () => existsSync(records));
    expect(statSync(records).uid).toBe(NOBODY);
    expect(await readyzOf(server)).toBe(200);
  });
});
