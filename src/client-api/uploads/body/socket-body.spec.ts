import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { BodyReader } from '../../../volume/uploads/body-reader.js';
import type { BodySource } from '../../../volume/uploads/body-source.js';
import { StreamBody } from '../../../volume/uploads/stream-body.js';
import { ByteRing } from './byte-ring.js';
import { SocketBody } from './socket-body.js';
import { TakenConnection } from './taken-connection.js';

/** Answers each request with how its body was read, how it ended, its length and digest. */
class DigestServer {
  readonly server: Server = createServer(
    { insecureHTTPParser: true },
    (request, response) => void this.answer(request, response),
  );
  readonly #drain = new AbortController();
  /** Bodies of fewer bytes, beside those that have come, go through Node. */
  minBytes = 1;
  readonly #opened = new EventEmitter();
  /** What was read for clients that went. */
  readonly broken: string[] = [];

  async start(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async client(): Promise<Client> {
    const socket = connect((this.server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    return new Client(socket);
  }

  /** The next one that is read. */
  async nextBody(): Promise<{ body: BodySource; socket: Socket }> {
    const [opened] = await once(this.#opened, 'body');
    return opened as { body: BodySource; socket: Socket };
  }

  drain(): void {
    this.#drain.abort();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // As in the product, where a token is verified and a file opened first.
    await turn();
    const body = this.bodyOf(request, response);
    this.#opened.emit('body', { body, socket: request.socket });
    const reader = new BodyReader(body, { limitBytes: Infinity, idleTimeoutMs: 60_000 });
    const digest = createHash('sha256');
    let length = 0;
    for (let batch; (batch = await reader.next()) !== null;) {
      // Whoever writes takes its time, and the bytes must stay as they are until then.
      await turn();
      for (const bytes of batch) {
        digest.update(bytes);
        length += bytes.length;
      }
    }
    reader.close();
    const how = body instanceof SocketBody ? 'direct' : 'stream';
    const text = `${how} ${reader.end} ${length} ${digest.digest('hex')}\n`;
    if (reader.end === 'broken') this.broken.push(text);
    response.setHeader('Content-Length', text.length);
    response.end(text);
  }

  private bodyOf(request: IncomingMessage, response: ServerResponse): BodySource {
    const connection = TakenConnection.take(
      { request, response, server: this.server, drainSignal: this.#drain.signal },
      this.minBytes,
    );
    return connection ? new SocketBody(connection) : new StreamBody(request);
  }
}

class Client {
  #received = '';
  #isClosed = false;

  constructor(readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (text: string) => (this.#received += text));
    socket.once('close', () => (this.#isClosed = true)).on('error', () => undefined);
  }

  get received(): string {
    return this.#received;
  }

  write(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** So many answers, in order: their bodies. */
  async answers(count: number): Promise<string[]> {
    const found = (): string[] => this.#received.match(/^(direct|stream) .*$/gm) ?? [];
    while (found().length < count && !this.#isClosed) await turn();
    return found();
  }

  async closed(): Promise<void> {
    while (!this.#isClosed) await turn();
  }
}

const patch = (length: number, headers = ''): string =>
  `PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n${headers}\r\n`;
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const complete = (how: string, bytes: Buffer): string =>
  `${how} complete ${bytes.length} ${sha(bytes)}`;

/** What the next bodies would be given. */
function spareMemory(): Set<ArrayBufferLike> {
  const rings = Array.from({ length: 4 }, () => ByteRing.take());
  const memory = new Set(rings.map((ring) => ring.space(1).buffer));
  for (const ring of rings) ring.giveBack();
  return memory;
}

/** What /proc tells of all descriptors of the connection. */
function linkOf(socket: Socket): string {
  const { _handle: handle } = socket as unknown as { _handle: { fd: number } };
  return readlinkSync(`/proc/self/fd/${handle.fd}`);
}

function descriptorsOf(link: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === link;
    } catch {
      // Of the directory that is being read.
      return false;
    }
  }).length;
}

/** More than one ring holds. */
const BODY = randomBytes(5 * 1024 * 1024 + 17);
const LARGE = 64 * 1024;

let server: DigestServer;

beforeEach(async () => {
  server = new DigestServer();
  await server.start();
});

afterEach(() => server.stop());

describe('a body read from its socket', () => {
  it('has the same bytes as one that Node reads, however they come, and leaves the next request alone', async () => {
    const request = fc.record({
      length: fc.oneof(fc.nat(2000), fc.nat(3_000_000)),
      /** Where the client makes a pause, in the stream of all requests. */
      cuts: fc.array(fc.nat(4_000_000), { maxLength: 4 }),
      minBytes: fc.constantFrom(1, LARGE, Infinity),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 4 }), async (requests) => {
        const client = await server.client();
        server.minBytes = requests[0]!.minBytes;
        const all = Buffer.concat(
          requests.flatMap(({ length }) => [Buffer.from(patch(length)), BODY.subarray(0, length)]),
        );
        let position = 0;
        for (const cut of [...requests.flatMap(({ cuts }) => cuts), all.length].toSorted(
          (a, b) => a - b,
        )) {
          client.write(all.subarray(position, cut));
          position = Math.max(position, Math.min(cut, all.length));
          await turn();
        }
        const answers = await client.answers(requests.length);
        client.socket.destroy();
        const digests = requests.map(({ length }) => complete('', BODY.subarray(0, length)));
        expect(answers.map((answer) => answer.replace(/^\w+/, ''))).toEqual(digests);
      }),
      { numRuns: 30 },
    );
  });

  it('is read directly while much of it is still to come, one request after the other', async () => {
    server.minBytes = LARGE;
    const client = await server.client();
    for (let count = 1; count <= 3; count++) {
      client.write(patch(BODY.length));
      client.write(BODY);
      expect((await client.answers(count)).at(-1)).toBe(complete('direct', BODY));
    }
    client.socket.destroy();
  });

  it('goes through Node when its length is not known, or its turn to be answered has not come', async () => {
    const client = await server.client();
    client.write('PATCH / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    client.write('5\r\nhello\r\n0\r\n\r\n');
    expect(await client.answers(1)).toEqual([complete('stream', Buffer.from('hello'))]);
    client.socket.destroy();
  });

  it('goes through Node when it has a length and comes in chunks, which a lenient parser allows', async () => {
    const client = await server.client();
    const head = patch(BODY.length, 'Transfer-Encoding: chunked\r\n');
    client.write(`${head}5\r\nhello\r\n0\r\n\r\n`);
    expect(await client.answers(1)).toEqual([complete('stream', Buffer.from('hello'))]);
    client.socket.destroy();
  });

  it('keeps its memory until a connection that was destroyed is read no more', async () => {
    const opened = server.nextBody();
    const client = await server.client();
    client.write(patch(BODY.length));
    const { body, socket } = await opened;
    const { buffer: memory } = (body as SocketBody).space;
    socket.destroy();
    body.release(0);
    expect(spareMemory().has(memory)).toBe(false);
    await once(socket, 'close');
    expect(spareMemory().has(memory)).toBe(true);
  });

  it('needs one descriptor more than the connection, also while that waits for a request', async () => {
    const opened = server.nextBody();
    const client = await server.client();
    client.write(patch(BODY.length));
    const connection = linkOf((await opened).socket);
    expect(descriptorsOf(connection)).toBe(2);
    client.write(BODY);
    await client.answers(1);
    expect(descriptorsOf(connection)).toBe(2);
    client.socket.destroy();
    while (descriptorsOf(connection) > 0) await turn();
  });

  it('lets the client close its side after the body', async () => {
    const client = await server.client();
    client.write(patch(BODY.length));
    client.socket.end(BODY);
    expect(await client.answers(1)).toEqual([complete('direct', BODY)]);
    await client.closed();
  });

  it.each([
    ['asked for', patch(BODY.length, 'Connection: close\r\n')],
    ['of HTTP/1.0', patch(BODY.length).replace('HTTP/1.1', 'HTTP/1.0')],
  ])('closes the connection after the answer when that is %s', async (_what, head) => {
    const client = await server.client();
    client.write(head);
    client.write(BODY);
    await client.closed();
    expect(await client.answers(1)).toEqual([complete('direct', BODY)]);
  });

  it.each([
    ['resets', (client: Client) => client.socket.resetAndDestroy()],
    ['closes', (client: Client) => client.socket.destroy()],
    ['ends its side of', (client: Client) => client.socket.end()],
  ])('is broken when the client %s the connection', async (_what, leave) => {
    const client = await server.client();
    client.write(patch(BODY.length));
    client.socket.write(BODY.subarray(0, 1_000_000), () => leave(client));
    while (server.broken.length === 0) await turn();
    expect(server.broken[0]).toMatch(/^direct broken \d+ /);
    await client.closed();
  });

  it('closes a connection that waits for a request when the server drains', async () => {
    const client = await server.client();
    client.write(patch(BODY.length));
    client.write(BODY);
    await client.answers(1);
    server.drain();
    await client.closed();
  });

  it('closes it on the server too when the client does', async () => {
    const client = await server.client();
    client.write(patch(BODY.length));
    client.write(BODY);
    await client.answers(1);
    client.socket.end();
    await client.closed();
    server.server.close();
    await once(server.server, 'close');
    await server.start();
  });
});
