import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describeInBrowser, type Visit } from '../support/browser.js';
import { TestServer } from '../support/server.js';

const MIB = 2 ** 20;
const SIZE = 5 * MIB + 17;
const VFID = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const FOLDER = '0f0e0d0c0b0a40908070605040302010/9f/8e/7d6c5b4a43929190807060504030';
const TUS = join('node_modules', 'tus-js-client', 'dist', 'tus.js');

const PAGE = `<!doctype html><title>Somebody's page</title>
<link rel="icon" href="data:,"><script src="tus.js"></script>
<script>
  /** Bytes that differ everywhere, the same each time. */
  const content = new Uint8Array(${SIZE});
  for (let i = 0, x = 1; i < content.length; i++) content[i] = x = (x * 75 + 74) % 65537;

  /** Uploads the content; with cutAt, breaks off after so many bytes. Resolves with what happened. */
  window.upload = (uploadUrl, cutAt = Infinity) => new Promise((resolve) => {
    const seen = [];
    const upload = new tus.Upload(new Blob([content]), {
      uploadUrl, chunkSize: ${MIB}, retryDelays: null,
      onAfterResponse: (request, response) =>
        seen.push([request.getMethod(), response.getStatus(), response.getHeader('Upload-Offset')]),
      onProgress: (sent) => {
        if (sent < cutAt) return;
        cutAt = Infinity;
        upload.abort().then(() => resolve({ ended: 'cut', seen }));
      },
      onSuccess: () => resolve({ ended: 'done', seen }),
      onError: (error) => {
        const answer = error.originalResponse;
        resolve({ ended: 'failed', status: answer?.getStatus(), body: answer?.getBody(), seen });
      },
    });
    upload.start();
  });

  /** What a script of this page can see of an answer. */
  window.ask = async (url, init) => {
    const answer = await fetch(url, init);
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
  };
</script>`;

interface Uploaded {
  readonly ended: 'cut' | 'done' | 'failed';
  readonly status?: number;
  readonly body?: string;
  readonly seen: readonly (readonly [string, number, string | null])[];
}
interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** A web server that is not the proxy. */
async function somebodysSite(): Promise<Server> {
  const site = createServer((request, response) => {
    const script = request.url === '/tus.js';
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(script ? readFileSync(TUS) : PAGE);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  return site;
}

describeInBrowser('a page of another origin', (open) => {
  let server: TestServer;
  let site: Server;
  let visit: Visit;

  beforeAll(async () => {
    [server, site] = await Promise.all([TestServer.start(), somebodysSite()]);
    const folder = { volume: 'local', vfid: VFID };
    await server.manager('POST', '/quota-scope', { volume: 'local', qsid: VFID.split('/')[0] });
    expect((await server.manager('POST', '/folder/create', folder)).status).toBe(204);
    visit = await open();
    await visit.page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
  });
  afterAll(async () => {
    site.close();
    site.closeAllConnections();
    await server.stop();
  });

  async function urlFor(what: 'upload' | 'download', relpath: string, size?: number) {
    const parameters = { volume: 'local', vfid: VFID, relpath, size };
    const { json } = await server.manager('POST', `/folder/file/${what}`, parameters);
    return `${server.clientUrl}/${what}?token=${String(json['token'])}`;
  }
  const upload = (url: string, cutAt?: number): Promise<Uploaded> =>
    visit.page.evaluate(
      `upload(${JSON.stringify([url, cutAt]).slice(1, -1).replace(',null', '')})`,
    );
  const ask = (url: string, init: object = {}): Promise<Seen> =>
    visit.page.evaluate(`ask(${JSON.stringify(url)}, ${JSON.stringify(init)})`);

  it('uploads a file, breaks off, and resumes where it was', async () => {
    const url = await urlFor('upload', 'big.bin', SIZE);
    const first = await upload(url, 2.5 * MIB);
    expect(first.ended).toBe('cut');

    const second = await upload(url);
    expect(second.ended).toBe('done');
    const [method, status, offset] = second.seen[0]!;
    expect([method, status]).toEqual(['HEAD', 200]);
    expect(Number(offset)).toBeGreaterThanOrEqual(2 * MIB);
    expect(Number(offset)).toBeLessThan(SIZE);
    expect(second.seen.at(-1)).toEqual(['PATCH', 204, String(SIZE)]);

    const expected = await visit.page.evaluate(
      `crypto.subtle.digest('SHA-256', content).then((hash) => [...new Uint8Array(hash)])`,
    );
    const stored = readFileSync(join(server.volumePath(), FOLDER, 'big.bin'));
    expect([...createHash('sha256').update(stored).digest()]).toEqual(expected);
  });

  it('reads why an upload was refused', async () => {
    const forged = await upload(`${server.clientUrl}/upload?token=forged`);
    expect(forged).toMatchObject({ ended: 'failed', status: 400 });
    const forgedPatch = await ask(`${server.clientUrl}/upload?token=forged`, { method: 'PATCH' });
    expect(forgedPatch.status).toBe(400);

    const url = await urlFor('upload', 'refused.bin', 4);
    const tooMuch = await ask(url, {
      method: 'PATCH',
      headers: { 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' },
      body: '12345',
    });
    expect(tooMuch.status).toBe(413);
    const wrongOffset = await ask(url, {
      method: 'PATCH',
      headers: {
        'Upload-Offset': '3',
        'Tus-Resumable': '1.0.0',
        'Content-Type': 'application/offset+octet-stream',
      },
      body: '4',
    });
    expect(wrongOffset.status).toBe(409);
    for (const { text } of [forgedPatch, tooMuch, wrongOffset]) {
      expect(JSON.parse(text)).toMatchObject({ error_code: expect.any(String) as string });
    }
  });

  it('downloads by ranges, and reads the headers that tell about them', async () => {
    const url = await urlFor('download', 'big.bin');
    const whole = await ask(url, { method: 'HEAD' });
    expect(whole).toMatchObject({
      status: 200,
      headers: {
        'accept-ranges': 'bytes',
        'content-length': String(SIZE),
        'content-disposition': expect.stringContaining('big.bin') as string,
        etag: expect.stringMatching(/^".+"$/) as string,
      },
    });

    const part = await ask(url, {
      headers: { Range: 'bytes=5-14', 'If-Range': whole.headers['etag'] },
    });
    expect(part).toMatchObject({
      status: 206,
      headers: { 'content-range': `bytes 5-14/${SIZE}`, 'content-length': '10' },
    });
    // If-Range takes a preflight, which the proxy has to grant.
    const changed = await ask(url, { headers: { Range: 'bytes=5-14', 'If-Range': '"other"' } });
    expect(changed.status).toBe(200);
  });

  it('reads why a download was refused', async () => {
    const url = await urlFor('download', 'big.bin');
    const beyond = await ask(url, { headers: { Range: `bytes=${SIZE}-` } });
    expect(beyond).toMatchObject({ status: 416, headers: { 'content-range': `bytes */${SIZE}` } });
    const missing = await ask(await urlFor('download', 'missing.bin'));
    expect(missing.status).toBe(404);
    const forged = await ask(`${server.clientUrl}/download?token=forged`);
    expect(forged.status).toBe(400);
    for (const answer of [beyond, missing, forged]) {
      expect(answer.headers['content-type']).toMatch(/json/);
      expect(JSON.parse(answer.text)).toMatchObject({ error_code: expect.any(String) as string });
    }
  });
});
