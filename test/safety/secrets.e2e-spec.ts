import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { send } from '../support/http.js';
import { childrenOf, environmentOf, statusOf } from '../support/processes.js';
import { Proxy, type TestFolder } from '../support/proxy.js';

const CONTENT = Buffer.from('epoch,loss\n1,0.731\n');

describe('what the product writes in the life of a folder', () => {
  let proxy: Proxy;
  let folder: TestFolder;
  let audit: string;
  const tokens: string[] = [];
  const said: string[] = [];
  const umask = process.umask();

  beforeAll(async () => {
    // The proxy inherits the worst.
    process.umask(0);
    proxy = await Proxy.start(
      {},
      {
        // Relative to the configuration file.
        config: {
          logging: { level: 'TRACE' },
          audit: { sink: 'file', file: 'audit.jsonl', reads: true },
        },
      },
    );
    process.umask(umask);
    audit = join(proxy.mount(), '..', '..', 'audit.jsonl');
    await live();
  });
  afterAll(() => proxy.stop());

  /** Everything that a folder sees, with mistakes of every kind. */
  async function live(): Promise<void> {
    folder = await proxy.createFolder('scoped');
    const call = async (method: string, path: string, body?: object) =>
      said.push((await proxy.manager.call(method, path, body)).text);
    const upload = await proxy.uploadToken(folder, 'data.csv', CONTENT.length);
    const download = await proxy.downloadToken(folder, 'data.csv');
    tokens.push(upload, download);
    for (const [token, offset] of [
      [`${upload}x`, 0],
      [upload, 7],
      [upload, 0],
      [upload, CONTENT.length],
    ] as const) {
      said.push((await proxy.patch(token, offset, CONTENT)).text);
    }
    // Whole, and without a place to go until its directory is there: HEAD is what completes it.
    const bare = await proxy.createFolder('bare');
    const late = await proxy.uploadToken(bare, 'dir/late.csv', CONTENT.length);
    tokens.push(late);
    said.push((await proxy.patch(late, 0, CONTENT)).text);
    mkdirSync(join(bare.path, 'dir'));
    await proxy.client('HEAD', '/upload', { token: late });
    await proxy.client('HEAD', '/upload', { token: late });
    for (const token of [download, `${download}x`, upload, 'nonsense']) {
      said.push((await proxy.client('GET', '/download', { token, dst_dir: '../..' })).text);
      said.push((await proxy.client('GET', '/download-archive', { token })).text);
    }
    await call('POST', '/folder/file/list', { ...folder.ref, relpath: '.' });
    await call('POST', '/folder/file/rename', {
      ...folder.ref,
      relpath: 'data.csv',
      new_name: 'b',
    });
    await call('POST', '/folder/file/mkdir', { ...folder.ref, relpath: ['a', '../x'] });
    await call('POST', '/folder/file/delete', { ...folder.ref, relpaths: ['b'] });
    await call('POST', '/folder/create', { volume: proxy.secret, vfid: proxy.secret });
    await call('GET', `/jobs/${proxy.secret}`);
    const wrong = { 'x-backendai-storage-auth-token': `${proxy.secret}!` };
    said.push((await send('GET', `${proxy.manager.origin}/volumes`, wrong)).text);
    await call('POST', '/folder/delete', folder.ref);
    for (const path of ['/metrics', '/health']) {
      said.push((await send('GET', `${proxy.internalOrigin}${path}`)).text);
    }
  }

  function processes(): number[] {
    return [proxy.pid, ...childrenOf(proxy.pid).map(({ pid }) => pid)];
  }

  it('holds no secret and no token, wherever one looks', async () => {
    await recorded('folder.delete');
    const places: Record<string, string> = {
      log: proxy.output,
      audit: readFileSync(audit, 'utf8'),
      answers: said
        .join('\n')
        // A client that names a secret as a volume is told its own words.
        .replaceAll(/no volume is named[^}]*/g, '')
        .replaceAll(/no job has the id[^}]*/g, ''),
    };
    for (const pid of processes()) {
      places[`environment of ${pid}`] = environmentOf(pid);
      places[`title of ${pid}`] = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    }
    const secrets = [
      proxy.secret,
      proxy.jwtKey,
      ...tokens,
      ...tokens.map((token) => token.split('.')[2]!),
    ];
    for (const [place, text] of Object.entries(places)) {
      for (const secret of secrets) expect([place, text.includes(secret)]).toEqual([place, false]);
    }
  });

  it('has one audit record of each change, told apart from each other', async () => {
    await recorded('folder.delete');
    const records = readFileSync(audit, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const ended = (operation: string) =>
      records.filter((record) => record['operation'] === operation).map(({ result }) => result);
    expect(ended('folder.create')).toEqual(['ok', 'ok', 'refused']);
    expect(ended('file.upload')).toEqual(['ok', 'ok']);
    expect(ended('upload.patch')).toEqual(['refused', 'refused', 'ok', 'refused', 'refused']);
    expect(ended('upload.head')).toEqual(['ok']);
    expect(ended('file.mkdir')).toEqual(['refused']);
    const issued = records.find(({ operation }) => operation === 'file.upload');
    const used = records.find(
      ({ operation, result }) => operation === 'upload.patch' && result === 'ok',
    );
    expect(used?.['principal']).toBe(`token:${String(issued?.['issued_token'])}`);
    expect(issued).toMatchObject({
      plane: 'manager',
      principal: 'secret:api.manager.secret',
      peer: '127.0.0.1',
      volume: 'local',
      vfolder: folder.vfid,
      paths: ['data.csv'],
      details: { size: CONTENT.length },
      status: 200,
      duration_ms: expect.any(Number),
    });
    const deletion = records.find(({ operation }) => operation === 'folder.delete');
    await recorded('job.delete_vfolder');
    expect(readFileSync(audit, 'utf8')).toContain(`"job":"${String(deletion?.['job'])}"`);
    expect(records.map(({ seq }) => seq)).toEqual(records.map((_, index) => index + 1));
  });

  it('has the modes that it should, whatever umask the proxy was started with', () => {
    expect(statSync(audit).mode & 0o777).toBe(0o600);
    const made: [string, number][] = [];
    const walk = (directory: string): void => {
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        const path = join(directory, entry.name);
        made.push([path, statSync(path).mode & 0o022]);
        if (entry.isDirectory()) walk(path);
      }
    };
    walk(proxy.mount());
    const ours = made.filter(([path]) => !path.endsWith('version.txt'));
    expect(ours.length).toBeGreaterThan(3);
    expect(ours.filter(([, writable]) => writable !== 0)).toEqual([]);
  });

  it('leaves no core dump behind', () => {
    for (const pid of processes()) {
      const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
      expect([pid, limits]).toEqual([pid, expect.stringMatching(/Max core file size +0 +0 /)]);
    }
    expect(statusOf(proxy.pid, 'Umask')).toEqual(['0022']);
  });

  async function recorded(operation: string): Promise<void> {
    while (!readFileSync(audit, 'utf8').includes(`"operation":"${operation}"`)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});
