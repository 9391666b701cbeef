import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { sync } from '../../native/calls.js';
import { injectFaults } from '../../native/ffi.js';
import type { BodyPart } from './multipart-ranges.js';
import type { TransferResult } from './response-body.js';
import { sendRanges, type FileSource, type SendOptions } from './send-file.js';

const SIZE = 3 * 1024 * 1024 + 12_345;
/** The most that is sent on the event loop's thread before others have their turn. */
const MAX_AT_ONCE_BYTES = 2 * 1024 * 1024;

describe('sendRanges', () => {
  const original = sync.sendfile;
  let directory: string;
  let content: Buffer;
  let file: fs.promises.FileHandle;
  let server: http.Server;
  let port: number;
  let parts: BodyPart[];
  let options: SendOptions;
  /** What is said to be in memory; undefined where nobody can tell. */
  let isResident: FileSource['isResident'];
  /** What reads from memory. */
  let readCached: FileSource['readCached'];
  let results: TransferResult[];
  let onResult: (() => void) | undefined;
  let onLater: (() => void) | undefined;

  beforeEach(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'send-file-'));
    content = randomBytes(SIZE);
    fs.writeFileSync(path.join(directory, 'file'), content);
    file = await fs.promises.open(path.join(directory, 'file'));
    parts = [{ start: 0, length: SIZE }];
    options = {};
    isResident = undefined;
    readCached = undefined;
    onLater = undefined;
    results = [];
    server = http.createServer((request, response) => void answer(request, response));
    const answer = async (
      request: http.IncomingMessage,
      response: http.ServerResponse,
    ): Promise<void> => {
      response.writeHead(200, {
        'content-length': parts.reduce((total, part) => total + part.length, 0),
        'x-path': request.url,
      });
      const source = {
        fd: file.fd,
        ...(isResident && { isResident }),
        ...(readCached && { readCached }),
      };
      const sending = sendRanges(response, source, parts, options);
      if (sending instanceof Promise) onLater?.();
      results.push(await sending);
      onResult?.();
    };
    // As the listeners of the product are set up: a client may close its half after the request.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as net.AddressInfo).port;
  });

  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await file.close();
    fs.rmSync(directory, { recursive: true });
  });

  const nextResult = (): Promise<void> => new Promise((resolve) => (onResult = resolve));

  const get = async (): Promise<Buffer> => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    return Buffer.from(await response.arrayBuffer());
  };

  /** Everything the server says to raw bytes, until it closes the connection. */
  const talk = async (request: string, { half = false } = {}): Promise<Buffer> => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    if (half) socket.end(request);
    else socket.write(request);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    socket.end();
    return Buffer.concat(chunks);
  };

  const bodyOf = (answer: Buffer): Buffer => answer.subarray(answer.indexOf('\r\n\r\n') + 4);

  const always = (): boolean => true;
  const now = { asked: 0 };
  const sometimes = (): boolean => now.asked++ % 2 === 0;

  it.each([
    ['directly', false, undefined],
    ['directly, at once', false, always],
    ['directly, at once where it can', false, sometimes],
    ['through Node', true, always],
  ])('sends the same bytes %s', async (_, stream, resident) => {
    let counted = 0;
    isResident = resident;
    options = { stream, onBytes: (count) => (counted += count) };
    parts = [
      Buffer.from('head'),
      { start: 5, length: 10 },
      Buffer.from('|'),
      { start: 1000, length: 2_000_000 },
      Buffer.from('|'),
      { start: 0, length: SIZE },
      Buffer.from('tail'),
    ];
    const expected = Buffer.concat(
      parts.map((part) =>
        Buffer.isBuffer(part) ? part : content.subarray(part.start, part.start + part.length),
      ),
    );
    expect((await get()).equals(expected)).toBe(true);
    expect(results).toEqual([{ end: 'complete', sentBytes: expected.length }]);
    expect(counted).toBe(expected.length);
  });

  const inMemory = (buffer: Uint8Array, position: number): number =>
    content.copy(buffer, 0, position, position + buffer.length);

  it.each([
    ['a whole small file', [{ start: 0, length: 100_000 }]],
    ['several ranges', [Buffer.from('a'), { start: 7, length: 9 }, { start: 0, length: 1 }]],
    ['nothing', []],
  ])('gives the same answer at once and in its time: %s', async (_, some) => {
    parts = some;
    const ask = async (): Promise<string> => {
      const answer = await talk('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      return answer.toString('latin1').replace(/\r\nDate: [^\r]*/i, '');
    };
    const inItsTime = await ask();
    readCached = inMemory;
    expect(await ask()).toBe(inItsTime);
    expect(results[1]).toEqual(results[0]);
  });

  it.each([
    ['cannot tell', () => undefined],
    [
      'has only some of it',
      (buffer: Uint8Array, at: number) => inMemory(buffer.subarray(0, 5), at),
    ],
  ])('asks the pool where memory %s', async (_, read) => {
    readCached = read;
    parts = [{ start: 0, length: 10 }];
    expect((await get()).equals(content.subarray(0, 10))).toBe(true);
  });

  describe('a small body, one after another to a client that takes nothing', () => {
    const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
    let socket: net.Socket;

    beforeEach(() => {
      readCached = inMemory;
      parts = [{ start: 0, length: 128 * 1024 }];
      socket = net.connect(port, '127.0.0.1').pause();
      socket.on('error', () => undefined);
    });
    afterEach(() => socket.destroy());

    it('is sent in its time when the client goes on', async () => {
      const isFull = new Promise<boolean>((resolve) => (onLater = () => resolve(true)));
      let asked = 0;
      do {
        asked += 1;
        onResult = undefined;
        socket.write(request);
      } while (!(await Promise.race([isFull, nextResult().then(() => false)])));
      socket.resume();
      while (results.length < asked) await nextResult();
      expect(new Set(results.map(({ end }) => end))).toEqual(new Set(['complete']));
      const expected = asked * parts[0]!.length;
      while (socket.bytesRead < expected) await once(socket, 'data');
    });

    it('is given up when the client does not', async () => {
      options = { idleTimeoutMs: 150 };
      do {
        const next = nextResult();
        socket.write(request);
        await next;
      } while (results.at(-1)?.end === 'complete');
      expect(results.at(-1)?.end).toBe('client-idle');
    });
  });

  it('asks for as much as it then sends at once, and sends so much in a turn of the event loop', async () => {
    const asked: number[] = [];
    isResident = (_, length) => asked.push(length) > 0;
    parts = Array.from({ length: 4 }, () => ({ start: 0, length: SIZE }));
    let turn = 0;
    let counting = true;
    const count = (): void => {
      turn++;
      if (counting) setImmediate(count);
    };
    count();
    const sent: { turn: number; length: number }[] = [];
    const sending = jest.spyOn(sync, 'sendfile').mockImplementation((...args) => {
      sent.push({ turn, length: args[3] });
      return original(...args);
    });
    const expected = Buffer.concat(parts.map(() => content));
    try {
      const answers = await Promise.all([get(), get(), get(), get()]);
      expect(answers.every((answer) => answer.equals(expected))).toBe(true);
    } finally {
      counting = false;
      sending.mockRestore();
    }
    expect(sent.map(({ length }) => length)).toEqual(asked);
    expect(Math.max(...asked)).toBeLessThanOrEqual(MAX_AT_ONCE_BYTES);
    expect(new Set(sent.map((call) => call.turn)).size).toBe(sent.length);
  });

  it('sends what was announced of a file that grows', async () => {
    isResident = always;
    fs.appendFileSync(path.join(directory, 'file'), randomBytes(1_000_000));
    expect((await get()).equals(content)).toBe(true);
  });

  it('sends a file to its end that is removed meanwhile', async () => {
    isResident = (position) => {
      if (position > 1_000_000) fs.rmSync(path.join(directory, 'file'), { force: true });
      return true;
    };
    expect((await get()).equals(content)).toBe(true);
  });

  it('sends nothing but the head for an empty body', async () => {
    parts = [];
    expect(await get()).toHaveLength(0);
    expect(results).toEqual([{ end: 'complete', sentBytes: 0 }]);
  });

  it('serves one connection again and again, and pipelined requests in order', async () => {
    const one = (name: string, last = false): string =>
      `GET /${name} HTTP/1.1\r\nHost: x\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
    const answer = await talk(one('a') + one('b') + one('c', true));
    const text = answer.toString('latin1');
    const heads = [...text.matchAll(/x-path: \/(\w)\r\n[^]*?\r\n\r\n/g)];
    expect(heads.map((head) => head[1])).toEqual(['a', 'b', 'c']);
    for (const head of heads) {
      const start = head.index + head[0].length;
      expect(answer.subarray(start, start + SIZE).equals(content)).toBe(true);
    }
    expect(results.map((result) => result.end)).toEqual(['complete', 'complete', 'complete']);
  });

  it('serves HTTP/1.0 and clients that close their half first', async () => {
    expect(bodyOf(await talk('GET / HTTP/1.0\r\n\r\n')).equals(content)).toBe(true);
    const half = await talk('GET / HTTP/1.1\r\nHost: x\r\n\r\n', { half: true });
    expect(bodyOf(half).equals(content)).toBe(true);
  });

  it.each([
    ['directly', false, 2 * 1024 * 1024, undefined],
    ['at once', false, 2 * 1024 * 1024, always],
    ['through Node', true, 2 * 1024 * 1024, undefined],
    ['in one piece', false, 10, undefined],
  ])(
    'cuts the connection when the file turns out shorter, sending %s',
    async (_, stream, length, resident) => {
      options = { stream };
      isResident = resident;
      parts = [{ start: SIZE - length + 1, length }];
      const done = nextResult();
      await expect(get()).rejects.toThrow(/terminated|fetch failed/);
      await done;
      expect(results).toMatchObject([{ end: 'file-changed' }]);
    },
  );

  it.each([
    ['sendfile', undefined],
    ['sendfile', always],
    ['read', undefined],
  ])('cuts the connection when %s fails', async (syscall, resident) => {
    isResident = resident;
    injectFaults((name) => (name === syscall ? 5 : undefined));
    const done = nextResult();
    try {
      await expect(get()).rejects.toThrow(/terminated|fetch failed/);
      await done;
    } finally {
      injectFaults(undefined);
    }
    expect(results).toMatchObject([{ end: 'failed', error: { code: 'EIO' } }]);
  });

  it.each([
    ['directly', undefined],
    ['at once', always],
  ])('goes on after a full socket, sending %s', async (_, resident) => {
    isResident = resident;
    let calls = 0;
    injectFaults((name) => (name === 'sendfile' && calls++ % 2 === 0 ? 11 : undefined));
    try {
      expect((await get()).equals(content)).toBe(true);
    } finally {
      injectFaults(undefined);
    }
  });

  it.each([
    ['directly', false, undefined],
    ['at once', false, always],
    ['through Node', true, undefined],
  ])('notices a client that leaves, sending %s', async (_, stream, resident) => {
    options = { stream };
    isResident = resident;
    parts = Array.from({ length: 20 }, () => ({ start: 0, length: SIZE }));
    const done = nextResult();
    const socket = net.connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    await done;
    expect(results).toMatchObject([{ end: 'client-gone' }]);
  });

  it('does not wait for ever for a client that takes nothing, nor for those behind it', async () => {
    options = { idleTimeoutMs: 150 };
    parts = Array.from({ length: 20 }, () => ({ start: 0, length: SIZE }));
    const socket = net.connect(port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
    while (results.length < 3) await nextResult();
    expect(results.map((result) => result.end).toSorted()).toEqual([
      'client-gone',
      'client-gone',
      'client-idle',
    ]);
    socket.destroy();
  });

  it('leaves no descriptor open, however it ends', async () => {
    const descriptors = (): string[] =>
      fs.readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
        } catch {
          return false;
        }
      });
    await get();
    parts = [{ start: 1, length: SIZE }];
    await get().catch(() => undefined);
    expect(descriptors()).toEqual([String(file.fd)]);
  });
});
