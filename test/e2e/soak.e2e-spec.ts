import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf } from '../support/processes.js';
import { Proxy, type TestFolder } from '../support/proxy.js';
import { send } from '../support/http.js';

/** `SOAK_SECONDS=600` for a long one. */
const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 8);
const CLIENTS = 12;
/** What is left when nobody asks for anything any more is gone by then, or never. */
const SETTLE_MS = 60_000;
const MIB = 1024 * 1024;
const UPLOAD_BYTES = 3 * MIB;

/** What one process holds: descriptors by what they lead to, threads, and what its event loop waits for. */
interface Holdings {
  readonly files: readonly string[];
  /** Descriptors of connections to the client plane. */
  readonly sockets: number;
  readonly threads: number;
  readonly timers: number;
  readonly transfers: number;
}

/** The same disorder every time (mulberry32), so that a failure can be had again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe(`${SECONDS} seconds of clients that leave when they like`, () => {
  let proxy: Proxy;
  let folder: TestFolder;
  let downloads: string[];

  beforeAll(async () => {
    proxy = await Proxy.start();
    folder = await proxy.createFolder('scoped');
    for (const [name, bytes] of [
      ['small', 1000],
      ['medium', 300_000],
      ['large', 24 * MIB],
    ] as const) {
      writeFileSync(`${folder.path}/${name}`, Buffer.alloc(bytes, name));
    }
    downloads = [];
    for (const name of ['small', 'medium', 'large', 'missing']) {
      downloads.push(`/download?token=${await proxy.downloadToken(folder, name)}`);
    }
    downloads.push(`/download?token=${await proxy.downloadToken(folder, '.')}&archive=true`);
  });
  afterAll(() => proxy.stop());

  const workerPid = (): number =>
    childrenOf(proxy.pid).find(({ title }) => title.includes('worker'))!.pid;

  function linksOf(pid: number): string[] {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  }

  /** As /proc/PID/fd names them; state 0A of proc_pid_net(5) is a listener. */
  function clientConnections(): Set<string> {
    const port = Number(new URL(proxy.clientOrigin).port)
      .toString(16)
      .toUpperCase()
      .padStart(4, '0');
    const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1);
    const inodes = rows
      .map((row) => row.trim().split(/\s+/))
      .filter(([, local = '', , state]) => local.endsWith(`:${port}`) && state !== '0A')
      .map((fields) => `socket:[${fields[9]}]`);
    return new Set(inodes);
  }

  async function holdings(): Promise<Holdings> {
    const pid = workerPid();
    const { text } = await send('GET', `${proxy.internalOrigin}/metrics`);
    const sum = (pattern: RegExp): number =>
      [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
    const links = linksOf(pid);
    const connections = clientConnections();
    return {
      files: links.filter((link) => link.startsWith(proxy.mount())).toSorted(),
      sockets: links.filter((link) => connections.has(link)).length,
      threads: readdirSync(`/proc/${pid}/task`).length,
      timers: sum(/^nodejs_active_resources\{type="Timeout"[^}]*\} (\d+)/gm),
      transfers: sum(/^backendai_storage_active_transfers\{[^}]*\} (\d+)/gm),
    };
  }

  /** One request, or several in a row, of which the client may not wait for the end. */
  async function misbehave(pick: (below: number) => number, n: number): Promise<void> {
    const socket = connect({
      port: new URL(proxy.clientOrigin).port as unknown as number,
      host: '127.0.0.1',
      allowHalfOpen: true,
    });
    const gone = new Promise<void>((resolve) => {
      socket.once('close', resolve);
    });
    socket.on('error', () => undefined);
    socket.once('end', () => socket.end());
    try {
      if (pick(4) > 0) socket.resume();
      if (pick(3) === 0) await upload(socket, pick, n);
      else download(socket, pick);
      await Promise.race([gone, sleep(1 + pick(60))]);
    } finally {
      // Node never closes a socket that is told to reset while its shutdown waits for unsent bytes.
      if (pick(2) === 0 || socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
    await gone;
  }

  function download(socket: ReturnType<typeof connect>, pick: (below: number) => number): void {
    const target = downloads[pick(downloads.length)]!;
    const version = pick(6) === 0 ? '1.0' : '1.1';
    const range = pick(3) === 0 ? `Range: bytes=${pick(500_000)}-${pick(20 * MIB)}\r\n` : '';
    const request = `GET ${target} HTTP/${version}\r\nHost: soak\r\n${range}\r\n`;
    const requests = request.repeat(version === '1.1' ? 1 + pick(4) : 1);
    if (pick(5) === 0) socket.end(requests);
    else socket.write(requests);
  }

  async function upload(
    socket: ReturnType<typeof connect>,
    pick: (below: number) => number,
    n: number,
  ): Promise<void> {
    const token = await proxy.uploadToken(folder, `uploaded-${n % 20}`, UPLOAD_BYTES);
    const sent = pick(4) === 0 ? UPLOAD_BYTES : pick(UPLOAD_BYTES);
    socket.write(
      `PATCH /upload?token=${token} HTTP/1.1\r\nHost: soak\r\nUpload-Offset: 0\r\n` +
        `Content-Length: ${UPLOAD_BYTES}\r\n\r\n`,
    );
    socket.write(Buffer.alloc(sent, 'u'));
  }

  it('ends with every descriptor closed, every thread idle and no timer left', async () => {
    const pick = random(20_261_122);
    const rounds = async (seconds: number): Promise<void> => {
      const end = Date.now() + seconds * 1000;
      let n = 0;
      const client = async (): Promise<void> => {
        while (Date.now() < end) await misbehave(pick, n++);
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
    };
    const settled = async (isFine: (held: Holdings) => boolean): Promise<Holdings> => {
      let held = await holdings();
      const deadline = Date.now() + SETTLE_MS;
      while (!isFine(held) && Date.now() < deadline) {
        await sleep(100);
        held = await holdings();
      }
      return held;
    };
    const isQuiet = ({ files, transfers }: Holdings): boolean =>
      files.length === 0 && transfers === 0;
    // Threads and pools that are made once are made now.
    await rounds(2);
    const before = await settled(isQuiet);
    await rounds(SECONDS);
    const after = await settled(
      (held) =>
        isQuiet(held) &&
        held.sockets === 0 &&
        held.threads <= before.threads &&
        held.timers <= before.timers,
    );
    expect(after).toMatchObject({ files: [], sockets: 0, transfers: 0 });
    expect(after.threads).toBeLessThanOrEqual(before.threads);
    expect(after.timers).toBeLessThanOrEqual(before.timers);
    const { status, bytes } = await send('GET', `${proxy.clientOrigin}${downloads[2]}`);
    expect({ status, isWhole: bytes.equals(Buffer.alloc(24 * MIB, 'large')) }).toEqual({
      status: 200,
      isWhole: true,
    });
    rmSync(`${folder.path}/large`);
  });
});
