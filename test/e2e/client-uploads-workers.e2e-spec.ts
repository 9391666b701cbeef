import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { begin, answerTo, send, type Answer } from '../support/http.js';
import { TestServer } from '../support/server.js';

const VFID = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const SCOPE = 'user:0f0e0d0c-0b0a-4090-8070-605040302010';
const MiB = 1024 * 1024;

let server: TestServer;
let folder: string;

beforeAll(async () => {
  server = await TestServer.start({ config: { 'storage-proxy': { 'num-proc': 2 } } });
  await server.manager('POST', '/quota-scope', { volume: 'local', qsid: SCOPE });
  await server.manager('POST', '/folder/create', { volume: 'local', vfid: VFID });
  const { json } = await server.manager('GET', '/folder/mount', { volume: 'local', vfid: VFID });
  folder = json['path'] as string;
}, 120_000);

afterAll(() => server.stop());

/** As a manager and a client do it: the token from one plane, the URL of the other. */
async function issue(relpath: string, size: number): Promise<{ url: string; staging: string }> {
  const parameters = { volume: 'local', vfid: VFID, relpath, size: String(size) };
  const { status, json } = await server.manager('POST', '/folder/file/upload', parameters);
  expect(status).toBe(200);
  const token = json['token'] as string;
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const { session } = JSON.parse(claims) as { session: string };
  return {
    url: `${server.clientUrl}/upload?token=${token}`,
    staging: join(folder, '.upload', session),
  };
}

const head = (url: string): Promise<Answer> => send('HEAD', url);
const sizeOf = (path: string): number => statSync(path).size;
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Process ids of the workers, from /proc. */
function workers(): number[] {
  const { pid } = server;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

it('whichever worker a client comes back to, the one that reads its dead connection lets go', async () => {
  for (let round = 0; round < 4; round++) {
    const { url, staging } = await issue(`stalled-${round}`, 11);
    const stalled = begin('PATCH', url, { 'upload-offset': 0, 'content-length': 11 });
    const refused = answerTo(stalled);
    stalled.write('hello ');
    await server.until('the first bytes', () => sizeOf(staging) === 6);
    expect((await head(url)).headers['upload-offset']).toBe('6');
    expect((await refused).status).toBe(409);
    const rest = await send('PATCH', url, { 'upload-offset': 6 }, Buffer.from('world'));
    expect(rest.status).toBe(204);
    expect(readFileSync(join(folder, `stalled-${round}`), 'utf8')).toBe('hello world');
  }
});

it('an upload goes on where it was when every worker is killed in the middle of a PATCH', async () => {
  const content = randomBytes(6 * MiB);
  const { url, staging } = await issue('killed', content.length);
  const patch = begin('PATCH', url, { 'upload-offset': 0, 'content-length': content.length });
  patch.on('error', () => undefined);
  patch.write(content.subarray(0, 4 * MiB));
  await server.until('some of the bytes', () => sizeOf(staging) >= 2 * MiB);
  for (const pid of workers()) process.kill(pid, 'SIGKILL');

  let offset = -1;
  await server.until(
    'new workers',
    async () => {
      // A connection that was handed to a dying worker is never answered.
      const asking = begin('HEAD', url).setTimeout(3_000, () => void asking.destroy());
      asking.end();
      const answer = await answerTo(asking).catch(() => undefined);
      offset = Number(answer?.headers['upload-offset'] ?? -1);
      return answer?.status === 200;
    },
    50_000,
  );
  expect(offset).toBeGreaterThanOrEqual(2 * MiB);
  const rest = await send('PATCH', url, { 'upload-offset': offset }, content.subarray(offset));
  expect(rest.status).toBe(204);
  expect(sha(readFileSync(join(folder, 'killed')))).toBe(sha(content));
});
