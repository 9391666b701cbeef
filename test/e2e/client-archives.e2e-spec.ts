import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { checkArchive, listArchive } from '../support/archive-checks.js';
import { ClientPlanes, type ClientPlane } from '../support/client-plane.js';
import { send } from '../support/http.js';
import { run } from '../support/programs.js';

const SCOPED = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const UNSCOPED = '9f8e7d6c-5b4a-4392-9190-807060504030';
const MANY = 66_000;
const OVER_4_GIB = 4 * 1024 ** 3 + 1024 ** 2;
/** Every archiver reads more than 4 GiB of it. */
const HUGE_TIMEOUT_MS = 600_000;

describe('archives', () => {
  const planes = new ClientPlanes();
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'archives-'));
  let plane: ClientPlane;
  let folder: string;

  beforeAll(async () => {
    plane = await planes.start();
    folder = await plane.createVFolder(SCOPED);
    put('d/1.txt', 'one');
    put('d/sub/2.txt', 'two '.repeat(10_000));
    put('d/sub/日本.bin', randomBytes(3_000_000));
    put('d/image.png', 'not really');
    put('top.txt', 'top');
    fs.mkdirSync(path.join(folder, 'd/hollow'));
    fs.symlinkSync('../top.txt', path.join(folder, 'd/link-in'));
    fs.symlinkSync('../../secret', path.join(folder, 'd/link-out'));
    fs.symlinkSync('/etc/passwd', path.join(folder, 'd/link-absolute'));
    fs.symlinkSync('nowhere', path.join(folder, 'd/link-dangling'));
    fs.symlinkSync('sub', path.join(folder, 'd/link-to-directory'));
    run('mkfifo', path.join(folder, 'd/fifo'));
    put('.upload/0123456789abcdef0123456789abcdef', 'half an upload');
    fs.writeFileSync(path.join(folder, '../secret'), 'secret');
  });

  afterAll(async () => {
    await planes.stop();
    fs.rmSync(scratch, { recursive: true });
  });

  function put(name: string, content: string | Buffer): void {
    const full = path.join(folder, name);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, content);
  }

  async function directoryUrl(directory: string, from = plane, vfid = SCOPED): Promise<string> {
    const token = await from.downloadToken({ vfid, path: directory });
    return `${from.origin}/download?token=${token}&archive=true`;
  }

  async function archiveUrl(files: string[], filename?: string): Promise<string> {
    const token = await plane.archiveToken({ vfid: SCOPED, files, ...(filename && { filename }) });
    return `${plane.origin}/download-archive?token=${token}`;
  }

  /** Downloads with curl, which notices a body that is cut off. */
  function download(url: string): string {
    const file = path.join(scratch, `${randomBytes(4).toString('hex')}.zip`);
    run('curl', '-sf', '-o', file, url);
    return file;
  }

  const namesIn = (file: string): string[] =>
    listArchive(file)
      .map(([name]) => name)
      .toSorted();

  const IN_D = ['1.txt', 'hollow/', 'image.png', 'link-in', 'sub/', 'sub/2.txt', 'sub/日本.bin'];

  it('archives a directory: names relative to it, links inside as content, nothing of others (S3)', async () => {
    const url = await directoryUrl('d');
    const head = await send('GET', url);
    expect(head.status).toBe(200);
    expect(head.headers).toMatchObject({
      'content-type': 'application/zip',
      'content-disposition': `attachment;filename="d.zip"; filename*=UTF-8''d.zip`,
      'transfer-encoding': 'chunked',
    });
    for (const name of ['etag', 'content-length', 'accept-ranges']) {
      expect(head.headers).not.toHaveProperty(name);
    }
    const file = download(url);
    checkArchive(file);
    expect(namesIn(file)).toEqual(IN_D.toSorted());
    const out = path.join(scratch, 'out');
    run('unzip', '-q', file, '-d', out);
    expect(fs.readFileSync(path.join(out, 'link-in'), 'utf8')).toBe('top');
    run('diff', '-r', path.join(out, 'sub'), path.join(folder, 'd/sub'));
    fs.rmSync(out, { recursive: true });
  });

  it('archives the whole vfolder without running uploads, in both generations', async () => {
    const file = download(await directoryUrl('.'));
    checkArchive(file);
    expect(namesIn(file)).toEqual(['d/', 'top.txt', ...IN_D.map((name) => `d/${name}`)].toSorted());
    const { headers } = await send('HEAD', await directoryUrl('.'));
    expect(headers['content-disposition']).toContain('"7d6c5b4a43929190807060504030.zip"');

    const legacy = await plane.createVFolder(UNSCOPED);
    fs.writeFileSync(path.join(legacy, 'a'), 'a');
    expect(namesIn(download(await directoryUrl('.', plane, UNSCOPED)))).toEqual(['a']);
  });

  it('gives a file as it is, whatever `archive` says', async () => {
    expect((await send('GET', await directoryUrl('top.txt'))).text).toBe('top');
  });

  it('archives an empty directory', async () => {
    expect(listArchive(download(await directoryUrl('d/hollow')))).toEqual([]);
  });

  it('archives what is listed, names relative to the vfolder, nothing twice', async () => {
    const url = await archiveUrl(
      ['d/1.txt', 'd/sub', 'd/sub/2.txt', 'd/sub', 'top.txt'],
      'my é.zip',
    );
    const file = download(url);
    checkArchive(file);
    expect(namesIn(file)).toEqual(
      ['d/1.txt', 'd/sub/', 'd/sub/2.txt', 'd/sub/日本.bin', 'top.txt'].toSorted(),
    );
    const { status, headers, text } = await send('HEAD', `${url}&ignored=1`);
    expect([status, text]).toEqual([200, '']);
    expect(headers['content-disposition']).toBe(
      `attachment;filename="my .zip"; filename*=UTF-8''my%20%C3%A9.zip`,
    );
    expect((await send('HEAD', await archiveUrl(['.']))).headers['content-disposition']).toContain(
      '"archive.zip"',
    );
  });

  it('follows a listed link that stays inside, under its own name', async () => {
    const file = download(await archiveUrl(['d/link-in', 'd/link-to-directory']));
    expect(namesIn(file)).toEqual(
      [
        'd/link-in',
        'd/link-to-directory/',
        'd/link-to-directory/2.txt',
        'd/link-to-directory/日本.bin',
      ].toSorted(),
    );
  });

  it.each([
    ['d/missing', 404, 'vfolder_read_not-found', 'File not found: d/missing'],
    ['d/link-dangling', 404, 'vfolder_read_not-found', 'File not found: d/link-dangling'],
    [
      'd/link-out',
      400,
      'storage-proxy_request_invalid-parameters',
      'Path escapes vfolder boundary: d/link-out',
    ],
  ])('refuses %s before the first byte (D11)', async (file, status, code, message) => {
    const answer = await send('GET', await archiveUrl(['top.txt', file]));
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ error_code: code, msg: message });
  });

  it('refuses tokens in the words of the wire', async () => {
    const url = `${plane.origin}/download-archive`;
    const expired = await planes.start({ tokenLifetimeMs: -1000 });
    const foreign = await planes.start({ tokenKeys: ['another secret'] });
    const files = ['top.txt'];
    const cases: [string, number, string][] = [
      ['', 400, 'api_parsing_invalid-parameters'],
      ['?token=nonsense', 400, 'auth_auth_bad-request'],
      [
        `?token=${await plane.downloadToken({ vfid: SCOPED, path: 'x' })}`,
        400,
        'auth_auth_invalid-parameters',
      ],
      [
        `?token=${await expired.archiveToken({ vfid: SCOPED, files })}`,
        401,
        'auth_auth_data-expired',
      ],
      [
        `?token=${await foreign.archiveToken({ vfid: SCOPED, files })}`,
        401,
        'auth_auth_unauthorized',
      ],
      [
        `?token=${await plane.archiveToken({ vfid: SCOPED.replace('9f8e', '0000'), files })}`,
        404,
        'vfolder_read_not-found',
      ],
    ];
    for (const [query, status, code] of cases) {
      const answer = await send('GET', url + query);
      expect([query, answer.status, answer.json['error_code']]).toEqual([query, status, code]);
    }
  });

  it('streams while it walks, and waits for a client that does not read (D3, B10)', async () => {
    for (let i = 0; i < 30; i++) put(`wide/${i}.gz`, randomBytes(8 * 1024 * 1024));
    const target = (await directoryUrl('wide')).slice(plane.origin.length);
    const socket = net.connect(plane.port, '127.0.0.1');
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const status = fs.readFileSync(`/proc/${plane.pid}/status`, 'utf8');
    const residentMiB = Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
    expect(residentMiB).toBeLessThan(300);
    socket.destroy();
    fs.rmSync(path.join(folder, 'wide'), { recursive: true });
  });

  it(
    `archives ${MANY} entries`,
    async () => {
      const many = path.join(folder, 'many');
      put('many/of/empty', '');
      put('many/of/short', 'short');
      // Links are made faster than files. A file may have 65,000 names on ext4.
      for (let i = 0; i < MANY; i++) {
        const directory = path.join(many, `${Math.floor(i / 1000)}`);
        if (i % 1000 === 0) fs.mkdirSync(directory);
        fs.linkSync(
          path.join(many, 'of', i % 20 === 0 ? 'short' : 'empty'),
          path.join(directory, `${i}`),
        );
      }
      const file = download(await directoryUrl('many'));
      checkArchive(file);
      expect(listArchive(file)).toHaveLength(MANY + MANY / 1000 + 3);
    },
    HUGE_TIMEOUT_MS,
  );

  it(
    'archives a file over 4 GiB',
    async () => {
      const file = await archiveOfHuge(plane);
      checkArchive(file);
    },
    HUGE_TIMEOUT_MS,
  );

  it(
    'makes archives over 4 GiB',
    async () => {
      const downloads = { idleTimeoutMs: 60_000, compressionLevel: 0 };
      const file = await archiveOfHuge(await planes.start({ downloads }));
      expect(fs.statSync(file).size).toBeGreaterThan(OVER_4_GIB);
      // Which of the two comes behind the large one is the directory's business.
      for (const name of ['a', 'z']) {
        expect(run('unzip', '-p', file, name).toString()).toBe(`this is ${name}`);
        expect(run('7z', 'x', '-so', file, name).toString()).toBe(`this is ${name}`);
      }
    },
    HUGE_TIMEOUT_MS,
  );

  async function archiveOfHuge(from: ClientPlane): Promise<string> {
    put('huge/sparse', '');
    fs.truncateSync(path.join(folder, 'huge/sparse'), OVER_4_GIB);
    put('huge/a', 'this is a');
    put('huge/z', 'this is z');
    const file = download(await directoryUrl('huge', from));
    expect(Object.fromEntries(listArchive(file))).toEqual({ sparse: OVER_4_GIB, a: 9, z: 9 });
    return file;
  }

  // Root can read every file, so this needs one that nobody can.
  (process.getuid?.() === 0 ? itAsRoot : it)(
    'breaks the connection when something cannot be read (D1)',
    async () => {
      put('partly/fine', 'x');
      put('partly/forbidden', 'x');
      fs.chmodSync(path.join(folder, 'partly/forbidden'), 0);
      const url = await directoryUrl('partly');
      expect(() => download(url)).toThrow('curl');
    },
  );
});

function itAsRoot(name: string): void {
  process.stderr.write(`SKIPPED: "${name}" cannot be tried by root, who can read every file\n`);
  it.skip(name, () => undefined);
}
