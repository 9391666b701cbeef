import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { ClientPlanes, type ClientPlane } from '../support/client-plane.js';
import { send, type Answer } from '../support/http.js';
import { itWith, run } from '../support/programs.js';

const SCOPED = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const UNSCOPED = '9f8e7d6c-5b4a-4392-9190-807060504030';
const BIG_BYTES = 20 * 1024 * 1024 + 123;

describe('GET /download', () => {
  const planes = new ClientPlanes();
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'downloads-'));
  const unmanaged = path.join(scratch, 'unmanaged');
  const big = randomBytes(BIG_BYTES);
  let plane: ClientPlane;
  let folder: string;

  beforeAll(async () => {
    fs.mkdirSync(path.join(unmanaged, 'data/sub'), { recursive: true });
    plane = await planes.start({ unmanagedRoots: [unmanaged] });
    folder = await plane.createVFolder(SCOPED);
    put('big', big);
    put('small.txt', 'hello world');
    put('empty', '');
    put('sub/small.txt', 'another');
  });

  afterAll(async () => {
    await planes.stop();
    fs.rmSync(scratch, { recursive: true });
  });

  function put(name: string, content: string | Buffer): string {
    const full = path.join(folder, name);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, content);
    return full;
  }

  async function urlOf(file: string, query: Record<string, string> = {}): Promise<string> {
    const token = await plane.downloadToken({ vfid: SCOPED, path: file });
    return `${plane.origin}/download?${new URLSearchParams({ token, ...query }).toString()}`;
  }

  async function get(
    file: string,
    headers: Record<string, string> = {},
    query: Record<string, string> = {},
    method = 'GET',
  ): Promise<Answer> {
    return send(method, await urlOf(file, query), headers);
  }

  async function bodyOf(url: string, headers: Record<string, string> = {}): Promise<Buffer> {
    const response = await fetch(url, { headers });
    return Buffer.from(await response.arrayBuffer());
  }

  it('answers with the headers that clients resume by', async () => {
    const stat = fs.statSync(path.join(folder, 'small.txt'), { bigint: true });
    const { status, headers, text } = await get('small.txt', {
      'accept-encoding': 'gzip, deflate',
    });
    expect(status).toBe(200);
    expect(text).toBe('hello world');
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment;filename="small.txt"; filename*=UTF-8''small.txt`,
      etag: `"${stat.mtimeNs.toString(16)}-b"`,
      'last-modified': new Date(Number(stat.mtimeMs)).toUTCString(),
      'content-length': '11',
      'accept-ranges': 'bytes',
    });
    for (const name of ['content-encoding', 'cache-control', 'transfer-encoding']) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  it('answers HEAD like GET without a body, whatever the range (D5)', async () => {
    const whole = await get('big', { range: 'bytes=0-1' }, {}, 'HEAD');
    expect(whole).toMatchObject({ status: 200, text: '' });
    expect(whole.headers).toMatchObject({
      'content-length': String(BIG_BYTES),
      'accept-ranges': 'bytes',
    });
    expect((await get('missing', {}, {}, 'HEAD')).status).toBe(404);
  });

  it.each([
    ['bytes=0-0', 206, [0, 1]],
    ['bytes=5-', 206, [5, BIG_BYTES]],
    ['bytes=-1000', 206, [BIG_BYTES - 1000, BIG_BYTES]],
    ['bytes=1000000-19999999', 206, [1_000_000, 20_000_000]],
    ['lines=1-2', 200, [0, BIG_BYTES]],
  ])('serves %s', async (range, status, [from, to]) => {
    const response = await fetch(await urlOf('big'), { headers: { range } });
    const body = Buffer.from(await response.arrayBuffer());
    expect(response.status).toBe(status);
    expect(body.equals(big.subarray(from, to))).toBe(true);
    if (status === 206) {
      expect(response.headers.get('content-range')).toBe(`bytes ${from}-${to! - 1}/${BIG_BYTES}`);
    }
  });

  it('serves several ranges at once', async () => {
    const response = await fetch(await urlOf('big'), {
      headers: { range: 'bytes=19000000-19999999,10-19,-5' },
    });
    expect(response.status).toBe(206);
    const boundary = /boundary=(\S+)/.exec(response.headers.get('content-type')!)![1]!;
    const body = Buffer.from(await response.arrayBuffer()).toString('latin1');
    expect(body).toHaveLength(Number(response.headers.get('content-length')));
    const parts = body.split(`--${boundary}`).slice(1, -1);
    const contents = parts.map((part) => part.slice(part.indexOf('\r\n\r\n') + 4, -2));
    const expected = [big.subarray(19_000_000, 20_000_000), big.subarray(10, 20), big.subarray(-5)];
    expect(contents.map((text) => Buffer.from(text, 'latin1').equals(expected.shift()!))).toEqual([
      true,
      true,
      true,
    ]);
  });

  it.each(['bytes=11-', 'bytes=x-', 'bytes=-0'])('refuses %s with 416 (D6)', async (range) => {
    const { status, headers, json } = await get('small.txt', { range });
    expect(status).toBe(416);
    expect(headers['content-range']).toBe('bytes */11');
    expect(headers).not.toHaveProperty('content-disposition');
    expect(json).toMatchObject({ title: expect.any(String), error_code: expect.any(String) });
  });

  it('honours preconditions', async () => {
    const { headers } = await get('small.txt');
    const etag = headers.etag!;
    const date = headers['last-modified']!;
    const old = 'Sun, 06 Nov 1994 08:49:37 GMT';
    const range = 'bytes=0-4';
    const cases: [Record<string, string>, number][] = [
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': '"other"' }, 200],
      [{ 'if-modified-since': date }, 304],
      [{ 'if-modified-since': old }, 200],
      [{ 'if-match': etag }, 200],
      [{ 'if-match': '"other"' }, 412],
      [{ 'if-unmodified-since': old }, 412],
      [{ range, 'if-range': date }, 206],
      [{ range, 'if-range': etag }, 206],
      [{ range, 'if-range': old }, 200],
    ];
    for (const [conditions, status] of cases) {
      expect([conditions, (await get('small.txt', conditions)).status]).toEqual([
        conditions,
        status,
      ]);
    }
  });

  it('does not resume a file that has changed (D7)', async () => {
    const file = put('changing', 'first version');
    const { headers } = await get('changing');
    fs.writeFileSync(file, 'second version');
    const answer = await get('changing', { range: 'bytes=5-', 'if-range': headers.etag! });
    expect(answer).toMatchObject({ status: 200, text: 'second version' });
  });

  it('never serves another file than the one asked for (S4)', async () => {
    put('data.csv', 'plain');
    put('data.csv.gz', 'not plain');
    put('data.csv.br', 'not plain');
    const answer = await get('data.csv', { 'accept-encoding': 'gzip, br' });
    expect(answer.text).toBe('plain');
    expect(answer.headers).not.toHaveProperty('content-encoding');
  });

  it('adds Cache-Control when asked for, and refuses parameters it does not know', async () => {
    expect((await get('small.txt', {}, { no_cache: 'true' })).headers['cache-control']).toBe(
      'no-store',
    );
    const { status, json } = await get('small.txt', {}, { what: '1' });
    expect(status).toBe(400);
    expect(json).toMatchObject({ data: { what: 'what is not allowed key' } });
  });

  it('keeps to the vfolder, whoever says otherwise (S2, S3, S5)', async () => {
    fs.writeFileSync(path.join(folder, '../secret'), 'secret');
    fs.symlinkSync('../secret', path.join(folder, 'link-out'));
    fs.symlinkSync('/etc/passwd', path.join(folder, 'link-absolute'));
    fs.symlinkSync('..', path.join(folder, 'dir-out'));
    fs.symlinkSync('small.txt', path.join(folder, 'link-in'));
    expect((await get('link-in')).text).toBe('hello world');
    expect((await get('small.txt', {}, { dst_dir: 'sub' })).text).toBe('another');
    for (const name of ['link-out', 'link-absolute', 'dir-out/secret', 'missing', 'small.txt/x']) {
      const { status, json, headers } = await get(name);
      expect([name, status]).toEqual([name, 404]);
      expect(headers['content-type']).toContain('application/problem+json');
      expect(json).toMatchObject({
        title: 'File not found',
        type: 'https://api.backend.ai/probs/storage/file-not-found',
      });
    }
    const escapes: [string, number][] = [
      ['..', 404],
      ['../..', 404],
      ['dir-out', 404],
      ['sub/../..', 404],
      ['/etc', 400],
      ['.upload', 400],
      ['', 400],
    ];
    for (const [destination, status] of escapes) {
      const answer = await get('secret', {}, { dst_dir: destination });
      expect([destination, answer.status]).toEqual([destination, status]);
    }
  });

  it('refuses what is not a regular file, without hanging (D9)', async () => {
    run('mkfifo', path.join(folder, 'fifo'));
    const server = net.createServer().listen(path.join(folder, 'socket'));
    for (const name of ['sub', '.', 'fifo', 'socket']) {
      const { status, json } = await get(name);
      expect([name, status, json['msg']]).toEqual([name, 400, 'The file is not a regular file.']);
      expect(json['type']).toBe('https://api.backend.ai/probs/storage/invalid-api-params');
    }
    server.close();
  });

  it('downloads files whatever their name is (D8)', async () => {
    const odd = put('caf\u00e9 "x"\n.csv', 'odd');
    const { status, headers, text } = await get(path.basename(odd));
    expect([status, text]).toEqual([200, 'odd']);
    expect(headers['content-disposition']).toBe(
      `attachment;filename="caf \\"x\\".csv"; filename*=UTF-8''caf%C3%A9%20%22x%22.csv`,
    );
    const bytes = Buffer.from([0x61, 0xff, 0x62]);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), bytes]), 'raw');
    const raw = await get('a\udcffb');
    expect([raw.status, raw.text]).toEqual([200, 'raw']);
    expect(raw.headers['content-disposition']).toContain("UTF-8''a%FFb");
  });

  it('refuses tokens in the words of the wire', async () => {
    const url = `${plane.origin}/download`;
    const missing = await send('GET', url);
    expect(missing).toMatchObject({ status: 400, json: { data: { token: 'is required' } } });
    const nonsense = await send('GET', `${url}?token=nonsense`);
    expect(nonsense.status).toBe(400);
    expect((nonsense.json['data'] as { token: string }).token).toMatch(
      /^cannot decode the given value as JWT: /,
    );
    const expired = await planes.start({ tokenLifetimeMs: -1000 });
    const token = await expired.downloadToken({ vfid: SCOPED, path: 'small.txt' });
    expect((await send('GET', `${url}?token=${token}`)).status).toBe(400);
  });

  it('answers 404 for a vfolder that is not there, in both generations', async () => {
    for (const vfid of [SCOPED.replace('9f8e', '0000'), UNSCOPED.replace('9f8e', '0000')]) {
      const token = await plane.downloadToken({ vfid, path: 'x' });
      const { status, json } = await send('GET', `${plane.origin}/download?token=${token}`);
      expect([status, json['error_code']]).toEqual([404, 'vfolder_read_not-found']);
    }
    const other = await plane.createVFolder(UNSCOPED);
    fs.writeFileSync(path.join(other, 'legacy'), 'legacy');
    const token = await plane.downloadToken({ vfid: UNSCOPED, path: 'legacy' });
    expect((await send('GET', `${plane.origin}/download?token=${token}`)).text).toBe('legacy');
  });

  it('serves unmanaged directories below configured roots, confined like any vfolder (D10, S18)', async () => {
    fs.writeFileSync(path.join(unmanaged, 'data/sub/file'), 'unmanaged');
    fs.symlinkSync('/etc', path.join(unmanaged, 'link'));
    const get = async (unmanagedPath: string, file: string, query = ''): Promise<Answer> => {
      const token = await plane.downloadToken({ vfid: SCOPED, path: file, unmanagedPath });
      return send('GET', `${plane.origin}/download?token=${token}${query}`);
    };
    expect((await get(`${unmanaged}/data`, 'sub/file')).text).toBe('unmanaged');
    expect((await get(`${unmanaged}/link`, 'passwd')).status).toBe(404);
    const archive = await get(`${unmanaged}/data`, '.', '&archive=true');
    expect(archive.headers['content-disposition']).toContain('filename="data.zip"');
    expect(archive.text).toContain('sub/file');
  });

  it('lets pages of any origin read answers and errors', async () => {
    const origin = 'https://console.example.com';
    for (const [name, status] of [
      ['small.txt', 200],
      ['missing', 404],
    ] as const) {
      const answer = await get(name, { origin });
      expect(answer.status).toBe(status);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-credentials': 'true',
      });
    }
    const { headers } = await get('small.txt', { origin });
    expect(headers['access-control-expose-headers']).toMatch(/content-disposition/i);
    const preflight = await send('OPTIONS', `${plane.origin}/download`, {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'range',
    });
    expect(preflight.status).toBe(200);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': 'RANGE',
    });
    expect((await get('small.txt')).headers).not.toHaveProperty('access-control-allow-origin');
  });

  itWith('curl')('lets curl resume where it stopped', async () => {
    const target = path.join(scratch, 'resumed');
    fs.writeFileSync(target, big.subarray(0, 7_000_001));
    run('curl', '-sf', '-C', '-', '-o', target, await urlOf('big'));
    expect(fs.readFileSync(target).equals(big)).toBe(true);
  });

  it.each([0, 1, 4095, 131_073])(
    'sends exactly the bytes asked for from %i on, at every border of how they are sent',
    async (start) => {
      const url = await urlOf('big');
      // One read and one write, the first piece through Node, one call of sendfile(2), and the file's end.
      const borders = [4096, 128 * 1024, 4096 + 1024 * 1024, 4 * 1024 * 1024, BIG_BYTES - start];
      for (const border of borders) {
        for (const length of [border - 1, border, border + 1]) {
          const range = `bytes=${start}-${start + length - 1}`;
          const expected = big.subarray(start, start + length);
          const body = await bodyOf(url, { range });
          expect({ range, isExact: body.equals(expected) }).toEqual({ range, isExact: true });
        }
      }
    },
  );

  it('serves HTTP/1.0, half-closed and pipelining clients', async () => {
    const target = (await urlOf('big')).slice(plane.origin.length);
    const talk = async (request: string, half: boolean): Promise<Buffer> => {
      const socket = net.connect({ port: plane.port, host: '127.0.0.1', allowHalfOpen: true });
      if (half) socket.end(request);
      else socket.write(request);
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      socket.end();
      return Buffer.concat(chunks);
    };
    const bodies = (answer: Buffer): string[] => {
      const found: string[] = [];
      for (let at = 0; (at = answer.indexOf('\r\n\r\n', at)) >= 0; at += BIG_BYTES) {
        at += 4;
        found.push(sha256(answer.subarray(at, at + BIG_BYTES)));
      }
      return found;
    };
    const expected = sha256(big);
    expect(bodies(await talk(`GET ${target} HTTP/1.0\r\n\r\n`, false))).toEqual([expected]);
    const request = `GET ${target} HTTP/1.1\r\nHost: x\r\n`;
    expect(bodies(await talk(`${request}\r\n`, true))).toEqual([expected]);
    const three = `${request}\r\n${request}\r\n${request}Connection: close\r\n\r\n`;
    expect(bodies(await talk(three, false))).toEqual([expected, expected, expected]);
  });

  it('gives the same bytes over TLS, where there is no way past Node', async () => {
    const key = path.join(scratch, 'key.pem');
    const cert = path.join(scratch, 'cert.pem');
    run(
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '1',
      '-subj',
      '/CN=localhost',
    );
    const tls = { key: fs.readFileSync(key, 'utf8'), cert: fs.readFileSync(cert, 'utf8') };
    const secure = await planes.start({ tls });
    const token = await secure.downloadToken({ vfid: SCOPED, path: 'big' });
    const target = path.join(scratch, 'over-tls');
    run('curl', '-skf', '-o', target, `https://127.0.0.1:${secure.port}/download?token=${token}`);
    expect(fs.readFileSync(target).equals(big)).toBe(true);
    for (const [start, end] of [
      [0, 0],
      [131_071, 262_143],
      [262_144, BIG_BYTES - 1],
    ] as const) {
      const range = `${start}-${end}`;
      const url = `https://127.0.0.1:${secure.port}/download?token=${token}`;
      run('curl', '-skf', '-r', range, '-o', target, url);
      expect(fs.readFileSync(target).equals(big.subarray(start, end + 1))).toBe(true);
    }
  });

  it('cuts the connection when the file becomes shorter, and serves on', async () => {
    const file = path.join(folder, 'shrinking');
    fs.writeFileSync(file, '');
    fs.truncateSync(file, 300_000_000);
    const response = await fetch(await urlOf('shrinking'));
    fs.truncateSync(file, 1000);
    await expect(response.arrayBuffer()).rejects.toThrow('terminated');
    expect((await get('small.txt')).status).toBe(200);
  });

  it('sends what was announced when the file grows, or vanishes', async () => {
    const file = path.join(folder, 'growing');
    fs.writeFileSync(file, '');
    fs.truncateSync(file, 100_000_000);
    const response = await fetch(await urlOf('growing'));
    fs.appendFileSync(file, 'more');
    fs.rmSync(file);
    expect((await response.arrayBuffer()).byteLength).toBe(100_000_000);
  });

  it('survives clients that leave in the middle, and leaves nothing open', async () => {
    const target = (await urlOf('big')).slice(plane.origin.length);
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = net.connect(plane.port, '127.0.0.1');
        socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3));
        await new Promise((resolve) => socket.once('data', resolve));
        socket.resetAndDestroy();
      }),
    );
    expect(sha256(await bodyOf(await urlOf('big')))).toBe(sha256(big));
    const open = (): string[] =>
      fs.readdirSync(`/proc/${plane.pid}/fd`).flatMap((fd) => {
        try {
          const name = fs.readlinkSync(`/proc/${plane.pid}/fd/${fd}`);
          return name.startsWith(planes.volumePath) ? [name] : [];
        } catch {
          return [];
        }
      });
    for (let i = 0; i < 50 && open().length > 0; i++) await new Promise((r) => setTimeout(r, 100));
    expect(open()).toEqual([]);
  });

  it('says who it is on / and nothing to unknown paths', async () => {
    expect(await send('GET', `${plane.origin}/`)).toMatchObject({
      status: 200,
      json: { status: 'ok', type: 'client-facing', 'storage-proxy': expect.any(String) },
    });
    expect((await send('GET', `${plane.origin}/?a=1`)).status).toBe(400);
    expect((await send('GET', `${plane.origin}/nothing`)).status).toBe(404);
    const wrong = await send('PUT', `${plane.origin}/download`);
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET,HEAD']);
  });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
