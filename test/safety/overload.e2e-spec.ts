import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { begin, answerTo } from '../support/http.js';
import { childrenOf } from '../support/processes.js';
import { Proxy, type TestFolder } from '../support/proxy.js';

const LIMIT = 500;
const IDLE = 10_000;
const AT_ONCE = 200;
const CONTENT = 'epoch,loss\n1,0.731\n';

describe('a proxy under attack', () => {
  let proxy: Proxy;
  let folder: TestFolder;
  let worker: number;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    const limits = { connections: LIMIT, 'auth-failures': 5, 'json-body-timeout': '1s' };
    const uploads = { 'lock-wait': '60s' };
    proxy = await Proxy.start({}, { config: { limits, uploads } });
    folder = await proxy.createFolder('scoped');
    writeFileSync(join(folder.path, 'file'), CONTENT);
    [worker = 0] = childrenOf(proxy.pid)
      .filter(({ title }) => title.includes('worker'))
      .map(({ pid }) => pid);
  });
  afterEach(() => sockets.splice(0).forEach((socket) => socket.destroy()));
  afterAll(() => proxy.stop());

  async function open(text = ''): Promise<Socket> {
    const { hostname, port } = new URL(proxy.clientOrigin);
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    if (text !== '') socket.write(text);
    return socket;
  }

  async function openMany(count: number, text?: string): Promise<void> {
    for (let opened = 0; opened < count; opened += AT_ONCE) {
      await Promise.all(
        Array.from({ length: Math.min(AT_ONCE, count - opened) }, () => open(text)),
      );
    }
  }

  /** What a user does all day. */
  async function expectNormalService(name: string): Promise<void> {
    const token = await proxy.downloadToken(folder, 'file');
    expect((await proxy.client('GET', '/download', { token })).text).toBe(CONTENT);
    const upload = await proxy.uploadToken(folder, name, CONTENT.length);
    expect((await proxy.patch(upload, 0, Buffer.from(CONTENT))).status).toBe(204);
    expect(readFileSync(join(folder.path, name), 'utf8')).toBe(CONTENT);
  }

  const descriptors = (): number => readdirSync(`/proc/${worker}/fd`).length;

  it('serves others beside ten thousand idle connections, and keeps to its limit', async () => {
    const before = descriptors();
    await openMany(IDLE);
    expect(descriptors()).toBeLessThan(before + LIMIT + 100);
    await expectNormalService('beside-idle');
  });

  it('serves others beside clients that send their headers a byte at a time', async () => {
    await openMany(2 * LIMIT, 'GET /download?token=');
    await expectNormalService('beside-slow-headers');
  });

  it('serves others beside clients that never send their body', async () => {
    const slow = 'GET /download HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{';
    await openMany(LIMIT / 2, slow);
    await expectNormalService('beside-slow-bodies');
    // All of them are told, and cut off.
    const open = sockets.filter(({ closed }) => !closed);
    await Promise.all(open.map((socket) => once(socket.resume(), 'close')));
  });

  it('answers a flood of forged tokens with 429, and good ones as ever', async () => {
    const forged = await proxy
      .downloadToken(folder, 'file')
      .then((token) => `${token.slice(0, -4)}AAAA`);
    const statuses = new Map<number, number>();
    for (let sent = 0; sent < 1000; sent += AT_ONCE) {
      const answers = await Promise.all(
        Array.from({ length: AT_ONCE }, () => proxy.client('GET', '/download', { token: forged })),
      );
      for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses.keys()].toSorted((a, b) => a - b)).toEqual([400, 429]);
    expect(statuses.get(400)).toBeLessThan(100);
    await expectNormalService('beside-forgers');
  });

  it('does not ask for the body of a refused upload', async () => {
    const request = begin('PATCH', `${proxy.clientOrigin}/upload?token=forged`, {
      'content-length': 1_000_000,
      'upload-offset': 0,
      expect: '100-continue',
    });
    let invited = false;
    request.on('continue', () => (invited = true));
    const answer = answerTo(request);
    request.flushHeaders();
    expect((await answer).status).toBeGreaterThanOrEqual(400);
    expect(invited).toBe(false);
    request.destroy();
  });

  it('asks for the body of a good one', async () => {
    const token = await proxy.uploadToken(folder, 'asked-for', CONTENT.length);
    const request = begin('PATCH', `${proxy.clientOrigin}/upload?token=${token}`, {
      'content-length': CONTENT.length,
      'upload-offset': 0,
      expect: '100-continue',
    });
    request.on('continue', () => request.end(CONTENT));
    const answer = answerTo(request);
    request.flushHeaders();
    expect((await answer).status).toBe(204);
  });
});
