import { randomBytes, createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { Agent, request, type ClientRequest } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Upload } from 'tus-js-client';
import { ClientPlanes, type ClientPlane } from '../support/client-plane.js';
import { answerTo, begin, send, type Answer } from '../support/http.js';

const SCOPED = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const UNSCOPED = '1f8e7d6c-5b4a-4392-9190-807060504030';
const MiB = 1024 * 1024;

const SET_C = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers':
    'Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Content-Type',
  'access-control-expose-headers': expect.stringContaining(
    'Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Content-Type',
  ) as string,
  'access-control-allow-methods': '*',
};

let planes: ClientPlanes;
let plane: ClientPlane;
let folder: string;

beforeAll(async () => {
  planes = new ClientPlanes();
  plane = await planes.start();
  folder = await plane.createVFolder(SCOPED);
});

afterAll(() => planes.stop());

interface Begun {
  readonly url: string;
  readonly token: string;
  readonly session: string;
}

async function issue(path: string, size: number, vfid = SCOPED): Promise<Begun> {
  const { token, session } = await plane.uploadToken({ vfid, path, size });
  return { token, session, url: plane.uploadUrl(token) };
}

function patch(url: string, offset: number, body: Buffer): Promise<Answer> {
  const headers = { 'upload-offset': offset, 'content-type': 'application/offset+octet-stream' };
  return send('PATCH', url, { ...headers, 'tus-resumable': '1.0.0' }, body);
}

const head = (url: string): Promise<Answer> => send('HEAD', url);
const at = (path: string): string => join(folder, path);

/** Waits until so many bytes of an upload have reached the volume. */
async function arrived(session: string, bytes: number): Promise<void> {
  while (statSync(at(`.upload/${session}`)).size < bytes) await sleep(20);
}

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('the protocol of /upload', () => {
  it('answers OPTIONS without a token', async () => {
    const answer = await send('OPTIONS', `${plane.origin}/upload`);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      ...SET_C,
      'tus-resumable': '1.0.0',
      'tus-version': '1.0.0',
      'tus-max-size': String(8 * 1024 * MiB),
      'x-content-type-options': 'nosniff',
    });
    expect(answer.text).toBe('');
  });

  it('takes a file in pieces, without Tus-Resumable and Content-Type if need be', async () => {
    const { url } = await issue('pieces', 11);
    const asked = await head(url);
    expect(asked.status).toBe(200);
    const state = { 'cache-control': 'no-store', 'tus-resumable': '1.0.0', 'upload-length': '11' };
    expect(asked.headers).toMatchObject({ ...SET_C, ...state, 'upload-offset': '0' });

    const first = await send('PATCH', url, { 'upload-offset': 0 }, Buffer.from('hello '));
    expect(first.status).toBe(204);
    expect(first.headers).toMatchObject({ ...SET_C, ...state, 'upload-offset': '6' });
    expect((await head(url)).headers['upload-offset']).toBe('6');

    const last = await patch(url, 6, Buffer.from('world'));
    expect(last.status).toBe(204);
    expect(last.headers['upload-offset']).toBe('11');
    expect(readFileSync(at('pieces'), 'utf8')).toBe('hello world');
  });

  it('tells when an upload expires, as long as it is not finished', async () => {
    const { url, token } = await issue('expiring', 11);
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
      exp: number;
    };
    const expires = { 'upload-expires': new Date(exp * 1000).toUTCString() };
    expect((await head(url)).headers).toMatchObject(expires);
    expect((await patch(url, 0, Buffer.from('hello '))).headers).toMatchObject(expires);
    const last = await patch(url, 6, Buffer.from('world'));
    expect(last.headers).not.toHaveProperty('upload-expires');
  });

  it('remembers a finished upload for clients that missed the answer', async () => {
    const { url } = await issue('finished', 5);
    await patch(url, 0, Buffer.from('hello'));
    expect((await head(url)).headers['upload-offset']).toBe('5');
    const empty = await send('PATCH', url, { 'upload-offset': 5, 'content-length': 0 });
    expect(empty.status).toBe(204);
    expect(empty.headers['upload-offset']).toBe('5');
    expect((await patch(url, 0, Buffer.from('hello'))).status).toBe(409);
  });

  it('checks Upload-Offset (U1)', async () => {
    const { url } = await issue('offset', 10);
    await patch(url, 0, Buffer.from('hello'));
    const again = await patch(url, 0, Buffer.from('hello'));
    expect(again.status).toBe(409);
    expect(again.headers).toMatchObject(SET_C);
    expect(again.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(again.json).toEqual({
      type: 'https://api.backend.ai/probs/storage/upload-offset-mismatch',
      title: 'Upload Offset Mismatch',
      msg: 'Upload offset mismatch: expected 5, got 0',
      error_code: 'storage-proxy_update_conflict',
    });
    const missing = await send('PATCH', url, {}, Buffer.from('hello'));
    expect([missing.status, missing.json]).toMatchObject([
      400,
      {
        msg: 'Missing required Upload-Offset header for TUS PATCH request',
        error_code: 'storage-proxy_request_invalid-parameters',
      },
    ]);
    for (const value of ['five', '-1', '1.5', '0x5']) {
      const invalid = await send('PATCH', url, { 'upload-offset': value }, Buffer.from('hello'));
      expect([invalid.status, invalid.json['msg']]).toEqual([
        400,
        `Invalid Upload-Offset header value: ${value}`,
      ]);
    }
    expect((await head(url)).headers['upload-offset']).toBe('5');
  });

  it.each([
    ['no token', '', { token: 'is required' }],
    [
      'a broken token',
      '?token=nonsense',
      { token: expect.stringMatching(/^cannot decode/) as string },
    ],
    ['an unknown parameter', '?token=x&offset=1', { offset: 'offset is not allowed key' }],
  ])('refuses %s with set C on the answer (U8)', async (_what, query, data) => {
    for (const method of ['PATCH', 'POST', 'HEAD']) {
      const answer = await send(method, `${plane.origin}/upload${query}`, { 'upload-offset': 0 });
      expect(answer.status).toBe(400);
      expect(answer.headers).toMatchObject(SET_C);
      if (method !== 'HEAD') expect(answer.json).toMatchObject({ data });
    }
  });

  it('does not know an upload whose staging file is gone', async () => {
    const { url, session } = await issue('gone', 5);
    rmSync(at(`.upload/${session}`));
    const answer = await patch(url, 0, Buffer.from('hello'));
    expect([answer.status, answer.json]).toMatchObject([
      404,
      {
        type: 'https://api.backend.ai/probs/storage/tus-session-not-found',
        error_code: 'storage-proxy_read_not-found',
      },
    ]);
    expect((await head(url)).status).toBe(404);
  });

  it('has 405 for other methods, with set C', async () => {
    const answer = await send('DELETE', `${plane.origin}/upload`);
    expect(answer.status).toBe(405);
    expect(answer.headers).toMatchObject(SET_C);
  });

  it('lets POST create the upload at the same URL', async () => {
    const { url } = await issue('created', 5);
    const answer = await send('POST', url, { 'upload-length': 5, 'tus-resumable': '1.0.0' });
    expect(answer.status).toBe(201);
    expect(new URL(answer.headers.location ?? '', url).href).toBe(url);
    expect((await patch(url, 0, Buffer.from('hello'))).status).toBe(204);
    const other = await send('POST', url, { 'upload-length': 6 });
    expect([other.status, other.json['msg']]).toEqual([
      400,
      'Upload-Length: the token is for 5 bytes',
    ]);
  });

  it('takes the first bytes with POST, and PATCH in the guise of POST', async () => {
    const { url } = await issue('guise', 10);
    const type = { 'content-type': 'application/offset+octet-stream' };
    const created = await send('POST', url, { 'upload-length': 10, ...type }, Buffer.from('hello'));
    expect([created.status, created.headers['upload-offset']]).toEqual([201, '5']);
    const override = { 'x-http-method-override': 'PATCH', 'upload-offset': 5, ...type };
    expect((await send('POST', url, override, Buffer.from('world'))).status).toBe(204);
    expect(readFileSync(at('guise'), 'utf8')).toBe('helloworld');
  });

  it('answers Expect: 100-continue', async () => {
    const { url } = await issue('expect', 5);
    const headers = { expect: '100-continue', 'upload-offset': 0, 'content-length': 5 };
    const outgoing = begin('PATCH', url, headers);
    const answer = answerTo(outgoing);
    await new Promise((resolve) => {
      outgoing.once('continue', () => resolve(undefined));
      outgoing.flushHeaders();
    });
    outgoing.end('hello');
    expect((await answer).status).toBe(204);
  });
});

describe('sizes', () => {
  it('refuses a body that goes beyond the declared size, before and while it comes (S10)', async () => {
    const { url } = await issue('surplus', 8);
    const declared = await patch(url, 0, Buffer.from('hello world'));
    expect([declared.status, declared.json['error_code']]).toEqual([
      413,
      'storage-proxy_request_invalid-parameters',
    ]);
    const outgoing = begin('PATCH', url, { 'upload-offset': 0, 'transfer-encoding': 'chunked' });
    const streamed = answerTo(outgoing);
    outgoing.write('hello');
    outgoing.end(' world');
    expect((await streamed).status).toBe(413);
    expect((await head(url)).headers['upload-offset']).toBe('0');
    expect(existsSync(at('surplus'))).toBe(false);
  });

  it.each(['keep-alive', 'close'])(
    'refuses a large surplus body such that who reads only after sending can read why (connection: %s)',
    async (connection) => {
      const { token } = await issue(`surplus-${connection}`, 8);
      const socket = net.connect(plane.port, '127.0.0.1');
      const failed = new Promise<never>((_, reject) => socket.once('error', reject));
      const sent = async (bytes: Buffer | string): Promise<void> => {
        const written = new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
        await Promise.race([written, failed]);
      };
      socket.pause();
      await sent(
        `PATCH /upload?token=${token} HTTP/1.1\r\nHost: proxy\r\nConnection: ${connection}\r\n` +
          `Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: ${24 * MiB}\r\n` +
          'Content-Type: application/offset+octet-stream\r\n\r\n',
      );
      for (let piece = 0; piece < 24; piece++) {
        await sent(Buffer.alloc(MiB));
        await sleep(5);
      }
      socket.resume();
      const [answer] = (await Promise.race([once(socket, 'data'), failed])) as [Buffer];
      socket.destroy();
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /);
    },
  );

  it('takes bodies of unknown length', async () => {
    const { url } = await issue('chunked', 11);
    const outgoing = begin('PATCH', url, { 'upload-offset': 0, 'transfer-encoding': 'chunked' });
    const answer = answerTo(outgoing);
    outgoing.write('hello ');
    outgoing.end('world');
    expect((await answer).headers['upload-offset']).toBe('11');
    expect(readFileSync(at('chunked'), 'utf8')).toBe('hello world');
  });

  it('has an empty file in place as soon as there is a token (U4)', async () => {
    const { url } = await issue('empty', 0);
    expect(statSync(at('empty')).size).toBe(0);
    expect((await head(url)).headers).toMatchObject({ 'upload-offset': '0', 'upload-length': '0' });
  });

  it('makes an empty file below a missing directory with the first request (U4)', async () => {
    const { url } = await issue('not/yet/empty', 0);
    expect(existsSync(at('not'))).toBe(false);
    expect((await head(url)).status).toBe(200);
    expect(statSync(at('not/yet/empty')).size).toBe(0);
  });
});

describe('targets', () => {
  it('puts files below dst_dir, which it makes', async () => {
    const { token } = await issue('deep/a', 5);
    const url = plane.uploadUrl(token, 'some/where');
    expect((await patch(url, 0, Buffer.from('hello'))).status).toBe(204);
    expect(readFileSync(at('some/where/deep/a'), 'utf8')).toBe('hello');
  });

  it.each(['..', 'a/../../b', '/etc', '.upload', ''])('refuses dst_dir %p (S2)', async (dir) => {
    const { token, url } = await issue('a', 5);
    const answer = await patch(
      `${url}&dst_dir=${encodeURIComponent(dir)}`,
      0,
      Buffer.from('hello'),
    );
    expect(answer.status).toBe(400);
    expect(answer.headers).toMatchObject(SET_C);
    expect((await head(plane.uploadUrl(token))).headers['upload-offset']).toBe('0');
  });

  it('never leaves the vfolder through a link (S1)', async () => {
    const outside = join(planes.volumePath, 'outside');
    mkdirSync(outside, { recursive: true });
    const { url } = await issue('linked/a', 5);
    symlinkSync(outside, at('linked'));
    const answer = await patch(url, 0, Buffer.from('hello'));
    expect([answer.status, answer.json['error_code']]).toEqual([
      400,
      'vfolder_access_invalid-parameters',
    ]);
    expect(readdirSync(outside)).toEqual([]);
  });

  it('refuses dst_dir under an unscoped id, and needs the parent there', async () => {
    const legacy = await plane.createVFolder(UNSCOPED);
    const { token, url } = await issue('dir/a', 5, UNSCOPED);
    const refused = await patch(plane.uploadUrl(token, 'x'), 0, Buffer.from('hello'));
    expect([refused.status, refused.json['data']]).toEqual([
      400,
      { dst_dir: 'dst_dir is not allowed key' },
    ]);
    expect((await patch(url, 0, Buffer.from('hello'))).status).toBe(400);
    mkdirSync(join(legacy, 'dir'));
    expect((await send('PATCH', url, { 'upload-offset': 5, 'content-length': 0 })).status).toBe(
      204,
    );
    expect(readFileSync(join(legacy, 'dir/a'), 'utf8')).toBe('hello');
  });
});

describe('when connections and processes break', () => {
  it('keeps what arrived of a broken PATCH (U3)', async () => {
    const content = randomBytes(8 * MiB);
    const { url, session } = await issue('broken', content.length);
    const outgoing = begin('PATCH', url, { 'upload-offset': 0, 'content-length': content.length });
    outgoing.on('error', () => undefined);
    outgoing.write(content.subarray(0, 5 * MiB));
    await arrived(session, 5 * MiB);
    outgoing.destroy();
    const offset = Number((await head(url)).headers['upload-offset']);
    expect(offset).toBe(5 * MiB);
    expect((await patch(url, offset, content.subarray(offset))).status).toBe(204);
    expect(sha(readFileSync(at('broken')))).toBe(sha(content));
  });

  it('a request that stands still lets go when its client comes back on another connection (U11)', async () => {
    const { url, session } = await issue('stalled', 11);
    const stalled = begin('PATCH', url, { 'upload-offset': 0, 'content-length': 11 });
    const refused = answerTo(stalled);
    stalled.write('hello ');
    await arrived(session, 6);
    expect((await head(url)).headers['upload-offset']).toBe('6');
    expect([(await refused).status, (await refused).json['type']]).toEqual([
      409,
      'https://api.backend.ai/probs/storage/tus-lease-lost',
    ]);
    stalled.destroy();
    expect((await patch(url, 6, Buffer.from('world'))).status).toBe(204);
    expect(readFileSync(at('stalled'), 'utf8')).toBe('hello world');
  });

  it('reads on behind a body that was let go when it had all that it may have', async () => {
    const { url, session } = await issue('surplus', 11);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const headers = { 'upload-offset': 0, 'transfer-encoding': 'chunked' };
    const endless = request(url, { method: 'PATCH', agent, headers });
    const whole = answerTo(endless);
    endless.write('hello world');
    await arrived(session, 11);
    expect((await head(url)).headers['upload-offset']).toBe('11');
    expect((await whole).status).toBe(204);
    endless.end(randomBytes(MiB));
    const next = request(url, { method: 'OPTIONS', agent });
    const answer = answerTo(next);
    next.end();
    expect((await answer).status).toBe(200);
    agent.destroy();
    expect(readFileSync(at('surplus'), 'utf8')).toBe('hello world');
  });

  it('of several PATCHes at one offset exactly one succeeds, and the file is whole', async () => {
    const content = randomBytes(4 * MiB);
    const { url } = await issue('race', content.length);
    const answers = await Promise.all(Array.from({ length: 8 }, () => patch(url, 0, content)));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([204, 409, 409, 409, 409, 409, 409, 409]);
    expect(sha(readFileSync(at('race')))).toBe(sha(content));
  });

  it('many stalled clients keep nobody else waiting', async () => {
    const stalled: ClientRequest[] = [];
    let answered = 0;
    for (let index = 0; index < 100; index++) {
      const { url } = await issue(`stalled-${index}`, 10);
      const outgoing = begin('PATCH', url, { 'upload-offset': 0, 'content-length': 10 });
      outgoing.on('error', () => undefined);
      outgoing.on('response', () => answered++);
      outgoing.write('hello');
      stalled.push(outgoing);
    }
    const { url } = await issue('lively', 5);
    expect((await patch(url, 0, Buffer.from('hello'))).status).toBe(204);
    // None of them was given up to make room.
    expect(answered).toBe(0);
    for (const outgoing of stalled) outgoing.destroy();
  });

  it('survives kill -9 in the middle of a PATCH', async () => {
    const content = randomBytes(6 * MiB);
    const victim = await planes.start();
    const { token, session } = await victim.uploadToken({
      vfid: SCOPED,
      path: 'killed',
      size: content.length,
    });
    const outgoing = begin('PATCH', victim.uploadUrl(token), {
      'upload-offset': 0,
      'content-length': content.length,
    });
    outgoing.on('error', () => undefined);
    outgoing.write(content.subarray(0, 4 * MiB));
    await arrived(session, 2 * MiB);
    const url = plane.uploadUrl(token);
    const waiting = head(url);
    await victim.kill();
    const offset = Number((await waiting).headers['upload-offset']);
    expect(offset).toBeGreaterThanOrEqual(2 * MiB);
    expect((await patch(url, offset, content.subarray(offset))).status).toBe(204);
    expect(sha(readFileSync(at('killed')))).toBe(sha(content));
  });

  it('an acknowledged offset is there after kill -9', async () => {
    const victim = await planes.start();
    const { token } = await victim.uploadToken({ vfid: SCOPED, path: 'acknowledged', size: 10 });
    expect((await patch(victim.uploadUrl(token), 0, Buffer.from('hello'))).status).toBe(204);
    await victim.kill();
    expect((await head(plane.uploadUrl(token))).headers['upload-offset']).toBe('5');
  });
});

describe('tus-js-client', () => {
  function run(content: Buffer, options: object): Promise<void> {
    return new Promise((resolve, reject) => {
      const upload = new Upload(content, {
        retryDelays: [0, 100, 500],
        onSuccess: () => resolve(),
        onError: reject,
        ...options,
      });
      upload.start();
    });
  }

  it('uploads to an endpoint', async () => {
    const content = randomBytes(3 * MiB + 17);
    const { url } = await issue('tus/endpoint', content.length);
    await run(content, { endpoint: url, chunkSize: MiB, metadata: { filename: 'ä b' } });
    expect(sha(readFileSync(at('tus/endpoint')))).toBe(sha(content));
  });

  it('uploads to a known URL, with data in the creation, and an empty file', async () => {
    const content = randomBytes(MiB);
    const known = await issue('tus/known', content.length);
    await run(content, { uploadUrl: known.url });
    expect(sha(readFileSync(at('tus/known')))).toBe(sha(content));
    const creating = await issue('tus/creating', content.length);
    await run(content, { endpoint: creating.url, uploadDataDuringCreation: true });
    expect(sha(readFileSync(at('tus/creating')))).toBe(sha(content));
    const empty = await issue('tus/empty', 0);
    await run(Buffer.alloc(0), { endpoint: empty.url });
    expect(statSync(at('tus/empty')).size).toBe(0);
  });

  it('resumes after an interruption', async () => {
    const content = randomBytes(12 * MiB);
    const { url } = await issue('tus/resumed', content.length);
    await new Promise<void>((resolve, reject) => {
      const upload = new Upload(content, {
        uploadUrl: url,
        chunkSize: 4 * MiB,
        onError: reject,
        onChunkComplete: () => void upload.abort().then(resolve, reject),
      });
      upload.start();
    });
    const offset = Number((await head(url)).headers['upload-offset']);
    expect(offset).toBeGreaterThanOrEqual(4 * MiB);
    expect(offset).toBeLessThan(content.length);
    await run(content, { uploadUrl: url });
    expect(sha(readFileSync(at('tus/resumed')))).toBe(sha(content));
  });
});

describe('noop', () => {
  it('issues a real session and knows no upload (U10)', async () => {
    const { token, session } = await plane.uploadToken({
      volume: 'noop',
      vfid: SCOPED,
      path: 'a',
      size: 1,
    });
    expect(session).toMatch(/^[0-9a-f]{32}$/);
    expect((await head(plane.uploadUrl(token))).status).toBe(404);
  });
});
