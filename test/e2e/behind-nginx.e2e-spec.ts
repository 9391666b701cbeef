import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { makeCertificate } from '../support/certificate.js';
import { freePorts } from '../support/free-port.js';
import { Nginx } from '../support/nginx.js';
import { itWith } from '../support/programs.js';
import { TestServer } from '../support/server.js';

const MIB = 1024 * 1024;
const VFID = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const BASE = '/storage';

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The nginx configuration that the documentation shows, with this machine's ports and files in it. */
function documented(values: Readonly<Record<string, string>>): string {
  const page = readFileSync('docs/deployment.md', 'utf8');
  const [, block] = /```nginx\n([\s\S]*?)```/.exec(page) ?? [];
  let text = block ?? '';
  for (const [from, to] of Object.entries(values)) {
    expect(text).toContain(from);
    text = text.replaceAll(from, to);
  }
  return text;
}

let server: TestServer;
let nginx: Nginx | undefined;
let origin = '';

beforeAll(async () => {
  // As the documentation has it for a location that nginx does not take off the path.
  server = await TestServer.start({
    config: {
      server: { 'trusted-proxies': ['127.0.0.1'] },
      'client-plane': { 'base-path': BASE },
    },
  });
  const { status } = await server.manager('POST', '/folder/create', {
    volume: 'local',
    vfid: VFID,
  });
  expect(status).toBe(204);
});

afterAll(async () => {
  await nginx?.stop();
  await server.stop();
});

async function startNginx(): Promise<void> {
  const [port = 0] = await freePorts(1);
  nginx ??= await Nginx.start(port, (directory) => {
    const { cert, key } = makeCertificate(directory, 'Behind nginx');
    mkdirSync(join(directory, 'log'));
    return documented({
      '127.0.0.1:6021': `127.0.0.1:${server.ports.client}`,
      'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
      'storage.example.com': 'localhost',
      '/etc/nginx/tls/storage.crt': cert,
      '/etc/nginx/tls/storage.key': key,
      '/var/log/nginx/storage.log': join(directory, 'log', 'storage.log'),
    });
  });
  origin = `https://127.0.0.1:${port}${BASE}`;
}

function ask(
  method: string,
  url: string,
  headers: Record<string, string | number> = {},
  body?: Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, rejectUnauthorized: false });
    outgoing.once('response', (incoming) => {
      const { statusCode: status, headers: answered } = incoming;
      resolve(buffer(incoming).then((bytes) => ({ status, headers: answered, body: bytes })));
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

async function token(kind: 'upload' | 'download', extra: object): Promise<string> {
  const parameters = { volume: 'local', vfid: VFID, relpath: 'big', ...extra };
  const { json } = await server.manager('POST', `/folder/file/${kind}`, parameters);
  return String(json['token']);
}

itWith('nginx')('uploads and downloads through the documented nginx configuration', async () => {
  await startNginx();
  const content = randomBytes(40 * MIB);
  const upload = `${origin}/upload?token=${await token('upload', { size: content.length })}`;
  for (const [start, end] of [
    [0, 20 * MIB],
    [20 * MIB, content.length],
  ] as const) {
    expect((await ask('HEAD', upload)).headers['upload-offset']).toBe(String(start));
    const headers = { 'Upload-Offset': start, 'Content-Type': 'application/offset+octet-stream' };
    const { status } = await ask('PATCH', upload, headers, content.subarray(start, end));
    expect(status).toBe(204);
  }

  const download = `${origin}/download?token=${await token('download', {})}`;
  const whole = await ask('GET', download, { 'Accept-Encoding': 'gzip' });
  expect(whole.status).toBe(200);
  expect(whole.headers['content-encoding']).toBeUndefined();
  expect(whole.body.equals(content)).toBe(true);
  const part = await ask('GET', download, { Range: 'bytes=1000-1999' });
  expect(part.status).toBe(206);
  expect(part.body.equals(content.subarray(1000, 2000))).toBe(true);

  const log = readFileSync(join(nginx!.directory, 'log', 'storage.log'), 'utf8');
  expect(log).toContain(`"GET ${BASE}/download" 206 1000`);
  expect(log).not.toContain('token');
});
