import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { begin, answerTo } from '../support/http.js';
import { childrenOf } from '../support/processes.js';
import { Proxy, type TestFolder } from '../support/proxy.js';

const LIMIT = 500;
const IDLE = 10_000;
const AT_ONCE = 200;
const CONTENT = 'epoch,loss\n1,0.731\n';

/** The descriptors that a process may have, and which Node takes: an idle connection is one here and one there. */
const mayHoldAll =
  Number(/^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]) >
  1.2 * IDLE;
if (!mayHoldAll) {
  process.stderr.write(`SKIPPED: ${IDLE} connections held open, which need as many descriptors\n`);
}

const sockets: Socket[] = [];
afterEach(() => sockets.splice(0).forEach((socket) => socket.destroy()));

async function open(proxy: Proxy, text: string): Promise<void> {
  const { hostname, port } = new URL(proxy.clientOrigin);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
}

async function openMany(proxy: Proxy, count: number, text = ''): Promise<void> {
  for (let opened = 0; opened < count; opened += AT_ONCE) {
    const atOnce = Math.min(AT_ONCE, count - opened);
    await Promise.all(Array.from({ length: atOnce }, () => open(proxy, text)));
  }
}

async function withFile(proxy: Proxy): Promise<TestFolder> {
  const folder = await proxy.createFolder('scoped');
  writeFileSync(join(folder.path, 'file'), CONTENT);
  return folder;
}

/** What a user does all day. */
async function expectNormalService(proxy: Proxy, folder: TestFolder, name: string): Promise<void> {
  const token = await proxy.downloadToken(folder, 'file');
  expect((await proxy.client('GET', '/download', { token })).text).toBe(CONTENT);
  const upload = await proxy.uploadToken(folder, name, CONTENT.length);
  expect((await proxy.patch(upload, 0, Buffer.from(CONTENT))).status).toBe(204);
  expect(readFileSync(join(folder.path, name), 'utf8')).toBe(CONTENT);
}

/** Of the one worker. */
function descriptorsOf(proxy: Proxy): number {
  const worker = childrenOf(proxy.pid).find(({ title }) => title.includes('worker'));
  return readdirSync(`/proc/${worker!.pid}/fd`).length;
}

describe('a proxy under attack', () => {
  let proxy: Proxy;
  let folder: TestFolder;

  beforeAll(async () => {
    const limits = { connections: LIMIT, 'auth-failures': 5, 'json-body-timeout': '1s' };
    const uploads = { 'lock-wait': '60s' };
    proxy = await Proxy.start({}, { config: { limits, uploads } });
    folder = await withFile(proxy);
  });
  afterAll(() => proxy.stop());

  it('serves others beside ten thousand idle connections, and keeps to its limit', async () => {
    const before = descriptorsOf(proxy);
    await openMany(proxy, IDLE);
    expect(descriptorsOf(proxy)).toBeLessThan(before + LIMIT + 100);
    await expectNormalService(proxy, folder, 'beside-idle');
  });

  it('serves others beside clients that send their headers a byte at a time', async () => {
    await openMany(proxy, 2 * LIMIT, 'GET /download?token=');
    await expectNormalService(proxy, folder, 'beside-slow-headers');
  });

  it('serves others beside clients that never send their body', async () => {
    const slow = 'GET /download HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{';
    await openMany(proxy, LIMIT / 2, slow);
    await expectNormalService(proxy, folder, 'beside-slow-bodies');
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
    await expectNormalService(proxy, folder, 'beside-forgers');
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

(mayHoldAll ? it : it.skip)(
  'a proxy that may hold ten thousand idle connections serves others beside them',
  async () => {
    // None is cut off for its silence before the last has come.
    const limits = { connections: 2 * IDLE, 'header-timeout': '10m' };
    const proxy = await Proxy.start({}, { config: { limits } });
    try {
      const folder = await withFile(proxy);
      await openMany(proxy, IDLE);
      // The kernel has accepted the last of them before the proxy does.
      while (descriptorsOf(proxy) < IDLE) await sleep(20);
      await expectNormalService(proxy, folder, 'beside-held');
    } finally {
      await proxy.stop();
    }
  },
);
