import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../support/free-port.js';
import { TestServer } from '../support/server.js';

const MAIN = join(process.cwd(), 'dist', 'main.js');

// Each of them starts processes, which takes long on a busy machine.
jest.setTimeout(180_000);

function storageProxy(cwd: string, ...args: string[]): SpawnSyncReturns<string> {
  const env = { PATH: process.env['PATH'], HOME: cwd };
  return spawnSync(process.execPath, [MAIN, ...args], { cwd, env, encoding: 'utf8' });
}

describe('the command line', () => {
  const empty = mkdtempSync(join(tmpdir(), 'command-line-'));
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.prepare();
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(empty, { recursive: true });
  });

  it('explains every command, option, signal and the environment rule', () => {
    const { stdout, status } = storageProxy(empty, '--help');
    expect(status).toBe(0);
    for (const word of [
      'serve',
      'check-config',
      'openapi',
      'version',
      'STORAGE_PROXY__SECTION__KEY',
      'BACKEND_CONFIG_FILE',
      'SIGHUP',
    ]) {
      expect(stdout).toContain(word);
    }
    const serve = storageProxy(empty, 'serve', '--help').stdout;
    for (const option of ['--config-path', '-f', '--dev', '--log-level', '--debug', '--strict']) {
      expect(serve).toContain(option);
    }
  });

  it('prints the version', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(storageProxy(empty, 'version').stdout).toBe(`${version}\n`);
    expect(storageProxy(empty, '--version').stdout).toBe(`${version}\n`);
  });

  it.each([[['no-such-command']], [['serve', '--no-such-option']], [[]]])(
    'refuses %j with exit code 2',
    (args) => {
      const { status, stderr } = storageProxy(empty, ...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(/^storage-proxy: /);
    },
  );

  it('says where it looked for a configuration', () => {
    const { status, stderr } = storageProxy(empty, 'serve');
    expect(status).toBe(1);
    expect(stderr).toContain(join(empty, 'storage-proxy.toml'));
    expect(stderr).toContain('/etc/backend.ai/storage-proxy.toml');
  });

  it('lists every mistake of a configuration on a line of its own', () => {
    server.configure({
      'storage-proxy': { 'num-proc': 'many' },
      volume: { local: { backend: 'weka' } },
      uploads: { 'lock-weight': '1s' },
    });
    for (const command of ['serve', 'check-config']) {
      const { status, stderr } = storageProxy(empty, command, '-f', server.configFile);
      expect(status).toBe(1);
      const lines = stderr.trim().split('\n');
      expect(lines).toHaveLength(3);
      expect(stderr).toMatch(/^storage-proxy: storage-proxy\.num-proc = "many": must be /m);
      expect(stderr).toMatch(/^storage-proxy: volume\.local\.backend = "weka": .*backend = "vfs"/m);
      expect(stderr).toMatch(/^storage-proxy: uploads\.lock-weight: .*lock-wait/m);
    }
  });

  it('approves of a good configuration, and says what is wrong with a volume when asked to', () => {
    server.configure({});
    const good = storageProxy(empty, 'check-config', '-f', server.configFile, '--probe');
    expect(good).toMatchObject({ status: 0, stderr: '' });
    expect(good.stdout).toBe(`${server.configFile}: good\n`);

    const missing = join(empty, 'missing');
    server.configure({ volume: { away: { backend: 'vfs', path: missing } } });
    expect(storageProxy(empty, 'check-config', '-f', server.configFile).status).toBe(0);
    const bad = storageProxy(empty, 'check-config', '-f', server.configFile, '--probe');
    expect(bad.status).toBe(1);
    expect(bad.stderr).toMatch(/^storage-proxy: volume\.away: .*missing/);
  });

  it('names the volumes whose quotas can be checked, when asked for another', () => {
    server.configure({ volume: { quota: { backend: 'xfs', path: '/nowhere' } } });
    const args = ['quota', 'check', '-f', server.configFile, '--volume', 'local'];
    const { status, stderr } = storageProxy(empty, ...args);
    expect(status).toBe(2);
    expect(stderr).toContain('no xfs volume is named local; there are: quota');
  });

  it.each([
    ['a user that does not exist', { 'storage-proxy': { user: 'no-such-user' } }, 'no such user'],
    [
      'a certificate that is none',
      { api: { client: { 'ssl-enabled': true, 'ssl-cert': 'x.pem', 'ssl-privkey': 'x.pem' } } },
      'api.client.ssl-cert',
    ],
  ])('does not start with %s', (_, config, complaint) => {
    writeFileSync(join(server.directory, 'x.pem'), 'nothing');
    server.configure(config);
    const { status, stderr } = storageProxy(empty, 'serve', '-f', server.configFile);
    const skipped = process.getuid?.() !== 0 && complaint === 'no such user';
    if (skipped) return;
    expect(status).toBe(1);
    expect(stderr).toContain(complaint);
  });

  it('does not start without a volume when volumes are strict', () => {
    const away = { backend: 'vfs', path: join(empty, 'missing') };
    server.configure({ volume: { away }, server: { 'strict-volumes': true } });
    const { status, stdout } = storageProxy(empty, 'serve', '-f', server.configFile);
    expect(status).toBe(1);
    expect(stdout).toMatch(/volume \\"away\\" is unavailable: .*missing/);
  });

  it('names the key of an address that is taken', async () => {
    const taken = createServer().listen(server.ports.client, '127.0.0.1');
    await once(taken, 'listening');
    server.configure({});
    const child = spawn(process.execPath, [MAIN, 'serve', '-f', server.configFile]);
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    const [code] = (await once(child, 'close')) as [number];
    taken.close();
    expect(code).toBe(1);
    expect(output).toContain('api.client.service-addr');
    expect(output).toContain('EADDRINUSE');
  });
});

describe('serve --dev', () => {
  it('makes a playground, and prints a curl line that works without showing the secret', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'dev-'));
    mkdirSync(join(cwd, 'home'));
    const [client, manager, internal] = await freePorts(3);
    const start = () =>
      spawn(process.execPath, [MAIN, 'serve', '--dev'], {
        cwd,
        env: {
          PATH: process.env['PATH'],
          STORAGE_PROXY__API__CLIENT__SERVICE_ADDR: `127.0.0.1:${client}`,
          STORAGE_PROXY__API__MANAGER__SERVICE_ADDR: `127.0.0.1:${manager}`,
          STORAGE_PROXY__API__MANAGER__INTERNAL_ADDR: `127.0.0.1:${internal}`,
        },
      });
    try {
      const secrets = [];
      for (const _ of ['once', 'and again']) {
        const child = start();
        let output = '';
        const banner = new Promise<string>((resolve, reject) => {
          child.stdout.on('data', (text: Buffer) => {
            output += text.toString();
            const line = /^ +(curl .*)$/m.exec(output);
            if (line) resolve(line[1]!);
          });
          child.once('close', () => reject(new Error(output)));
        });
        const curl = await banner;
        const secret = readFileSync(join(cwd, 'var/manager-secret'), 'utf8').trim();
        secrets.push(secret);
        expect(output).not.toContain(secret);
        expect(output).toContain(`http://127.0.0.1:${client}/docs`);
        expect(output).toContain(`http://127.0.0.1:${manager}/docs`);
        const { stdout } = spawnSync('sh', ['-c', `${curl} -sS`], { cwd, encoding: 'utf8' });
        expect(JSON.parse(stdout)).toMatchObject({ volumes: [{ name: 'local', backend: 'vfs' }] });
        const closed = once(child, 'close');
        child.kill('SIGINT');
        await expect(closed).resolves.toEqual([0, null]);
      }
      expect(secrets[0]).toBe(secrets[1]);
      expect(statSync(join(cwd, 'var/manager-secret')).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });
});
