import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { newScope, newVFolderId, scopePath, vfolderPath } from '../support/ids.js';
import { Proxy, type TestFolder } from '../support/proxy.js';
import { attribute, CephDirectory } from './rig.js';

const MIB = 1024 * 1024;
const LIMIT = 'ceph.quota.max_bytes';

describe('quotas of CephFS', () => {
  let directory: CephDirectory;
  let proxy: Proxy;

  beforeAll(async () => {
    directory = new CephDirectory();
    fs.writeFileSync(directory.on('operator', 'version.txt'), '3\n');
    const ceph = { backend: 'cephfs', path: directory.on('a'), options: { 'max-files': 1000 } };
    proxy = await Proxy.start({}, { furtherVolumes: { ceph } });
  });
  afterAll(async () => {
    await proxy?.stop();
    await directory.remove();
  });

  const createFolder = (vfid: string): Promise<TestFolder> =>
    proxy.createFolder('scoped', vfid, 'ceph');
  /** As the operator sees it, on another mount. */
  const at = (vfid: string, ...below: string[]): string =>
    directory.on('operator', vfolderPath(vfid), ...below);
  const tokenFor = (folder: TestFolder, relpath: string, size: number) =>
    proxy.manager.call('POST', '/folder/file/upload', { ...folder.ref, relpath, size });
  const describeScope = async (qsid: string) =>
    (await proxy.manager.expecting(200, 'GET', '/quota-scope', { volume: 'ceph', qsid })).json;

  it('are what Ceph has: made, changed, removed, each of them twice', async () => {
    const qsid = newScope();
    const scope = directory.on('operator', scopePath(qsid));
    const request = (limit: number) => ({ volume: 'ceph', qsid, options: { limit_bytes: limit } });
    await proxy.manager.expecting(204, 'POST', '/quota-scope', request(10 * MIB));
    expect(attribute(scope, LIMIT)).toBe(String(10 * MIB));
    expect(attribute(scope, 'ceph.quota.max_files')).toBe('1000');
    for (const _ of ['first', 'again']) {
      await proxy.manager.expecting(204, 'PATCH', '/quota-scope', request(20 * MIB));
    }
    expect(attribute(scope, LIMIT)).toBe(String(20 * MIB));
    expect(await describeScope(qsid)).toMatchObject({
      used_bytes: 0,
      limit_bytes: 20 * MIB,
      lag_seconds: 10,
    });
    const files = 'ceph.quota.max_files';
    execFileSync('setfattr', ['-n', files, '-v', '7', scope]);
    for (const _ of ['first', 'again']) {
      await proxy.manager.expecting(204, 'DELETE', '/quota-scope/quota', { volume: 'ceph', qsid });
    }
    expect(attribute(scope, LIMIT)).toBe('0');
    await until('the limit by the other client', async () => attribute(scope, files) === '7');
    expect(await describeScope(qsid)).toMatchObject({ limit_bytes: null });
  });

  it('tells usage from the counters of Ceph, and how far they may be behind', async () => {
    const folder = await createFolder(newVFolderId('scoped'));
    fs.mkdirSync(at(folder.vfid, 'deep/er'), { recursive: true });
    fs.writeFileSync(at(folder.vfid, 'deep/er/file'), Buffer.alloc(MIB));
    const expected = { file_count: 3, used_bytes: MIB, lag_seconds: 10 };
    const usage = async () =>
      (await proxy.manager.expecting(200, 'GET', '/folder/usage', folder.ref)).json;
    await until('the counters', async () => (await usage())['used_bytes'] === MIB);
    expect(await usage()).toEqual(expected);
    const { json } = await proxy.manager.expecting(200, 'GET', '/folder/used-bytes', folder.ref);
    expect(json).toEqual({ used_bytes: MIB, lag_seconds: 10 });
  });

  it('refuses an upload before it begins, with the figures', async () => {
    const qsid = newScope();
    const options = { limit_bytes: 10 * MIB };
    await proxy.manager.expecting(204, 'POST', '/quota-scope', { volume: 'ceph', qsid, options });
    const folder = await createFolder(newVFolderId('scoped', qsid));
    expect((await tokenFor(folder, 'a', 6 * MIB)).status).toBe(200);
    const { status, json } = await tokenFor(folder, 'b', 6 * MIB);
    expect({ status, json }).toMatchObject({
      status: 400,
      json: {
        error_code: expect.stringMatching(/^vfolder_/) as unknown,
        data: {
          limit_bytes: 10 * MIB,
          requested_bytes: 6 * MIB,
          reserved_bytes: 6 * MIB,
          lag_seconds: 10,
        },
      },
    });
    // Of the records of uploads, which do not keep out what fits exactly.
    expect((json['data'] as { used_bytes: number }).used_bytes).toBeLessThan(1_000);
    expect((await tokenFor(folder, 'c', 4 * MIB)).status).toBe(200);
  });

  it('of single unscoped vfolders nest, and keep a full upload to be resumed', async () => {
    const folder = await createFolder(newVFolderId('bare'));
    const limit = { ...folder.ref, size_bytes: 8 * MIB };
    await proxy.manager.expecting(204, 'PATCH', '/volume/quota', limit);
    expect(attribute(at(folder.vfid), LIMIT)).toBe(String(8 * MIB));

    const content = Buffer.alloc(6 * MIB, 'upload');
    const token = await proxy.uploadToken(folder, 'file', content.length);
    // A container takes the room meanwhile.
    fs.writeFileSync(at(folder.vfid, 'hog'), Buffer.alloc(6 * MIB));
    await until('the counters', () => counted(folder, 6 * MIB));
    const refused = await proxy.patch(token, 0, content);
    expect(refused.status).toBe(507);
    const offset = await offsetOf(token);
    expect(offset).toBeLessThan(content.length);
    fs.rmSync(at(folder.vfid, 'hog'));
    await until('the counters', async () => !(await counted(folder, 6 * MIB)));
    expect((await proxy.patch(token, offset, content.subarray(offset))).status).toBe(204);
    expect(fs.readFileSync(at(folder.vfid, 'file')).equals(content)).toBe(true);

    // Trash, clone and deletion work where the folder is a quota root of its own.
    const clone = newVFolderId('bare');
    await proxy.createFolder('bare', clone, 'ceph');
    await proxy.manager.expecting(204, 'POST', '/folder/clone', {
      src_volume: 'ceph',
      src_vfid: folder.vfid,
      dst_volume: 'ceph',
      dst_vfid: clone,
    });
    expect(fs.readFileSync(at(clone, 'file')).equals(content)).toBe(true);
    await proxy.manager.expecting(204, 'POST', '/folder/delete', folder.ref);
    expect(fs.existsSync(at(folder.vfid))).toBe(false);
    expect(fs.readdirSync(directory.on('operator', '.trash'))).toEqual([]);
  });

  it('hide their borders inside a vfolder from moves and uploads', async () => {
    const folder = await createFolder(newVFolderId('scoped'));
    fs.mkdirSync(at(folder.vfid, 'inner'));
    execFileSync('setfattr', ['-n', LIMIT, '-v', String(50 * MIB), at(folder.vfid, 'inner')]);
    fs.mkdirSync(at(folder.vfid, 'tree/sub'), { recursive: true });
    fs.writeFileSync(at(folder.vfid, 'tree/sub/file'), 'content');
    const move = (src: string, dst: string) =>
      proxy.manager.call('POST', '/folder/file/move', {
        ...folder.ref,
        src_relpath: src,
        dst_relpath: dst,
      });
    expect((await move('tree', 'inner')).status).toBe(204);
    expect(fs.readFileSync(at(folder.vfid, 'inner/tree/sub/file'), 'utf8')).toBe('content');
    expect(fs.existsSync(at(folder.vfid, 'tree'))).toBe(false);

    const token = await proxy.uploadToken(folder, 'inner/upload', 5);
    expect((await proxy.patch(token, 0, Buffer.from('hello'))).status).toBe(204);
    expect(fs.readdirSync(at(folder.vfid, 'inner')).toSorted()).toEqual(['tree', 'upload']);
    expect(fs.readFileSync(at(folder.vfid, 'inner/upload'), 'utf8')).toBe('hello');
  });

  it('gives a free name to one of many that move there at once', async () => {
    const folder = await createFolder(newVFolderId('scoped'));
    fs.mkdirSync(at(folder.vfid, 'into'));
    for (let index = 0; index < 8; index++) {
      fs.mkdirSync(at(folder.vfid, `from${index}`));
      fs.writeFileSync(at(folder.vfid, `from${index}/same`), Buffer.alloc(MIB, String(index)));
    }
    const moves = Array.from({ length: 8 }, (_, index) =>
      proxy.manager.call('POST', '/folder/file/move', {
        ...folder.ref,
        src_relpath: `from${index}/same`,
        dst_relpath: 'into',
      }),
    );
    const answers = await Promise.all(moves);
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    const left = Array.from({ length: 8 }, (_, index) => `from${index}/same`).filter((name) =>
      fs.existsSync(at(folder.vfid, name)),
    );
    expect(left).toHaveLength(7);
    expect(fs.readdirSync(at(folder.vfid, 'into'))).toEqual(['same']);
    // A file that had two names for a moment is counted once, and where it is.
    await until('the counters', async () => (await usedBytes(folder)) === 8 * MIB);
  });

  it('shows no snapshot, leads into none, and says what keeps a directory', async () => {
    const folder = await createFolder(newVFolderId('scoped'));
    fs.mkdirSync(at(folder.vfid, 'kept'));
    fs.writeFileSync(at(folder.vfid, 'kept/file'), 'old');
    fs.mkdirSync(at(folder.vfid, 'kept/.snap/before'));
    fs.symlinkSync('kept/.snap/before', at(folder.vfid, 'past'));
    const on = (what: string, method: string, more: object) =>
      proxy.manager.call(method, `/folder/file/${what}`, { ...folder.ref, ...more });
    for (const relpath of ['kept/.snap', 'kept/.snap/before', 'past']) {
      expect((await on('list', 'POST', { relpath })).status).toBeGreaterThanOrEqual(400);
      expect((await on('fetch', 'POST', { relpath: `${relpath}/file` })).status).toBe(400);
    }
    const { json } = await on('list', 'POST', { relpath: 'kept' });
    expect(JSON.stringify(json)).not.toContain('.snap');

    const remove = () => on('delete', 'POST', { relpaths: ['kept'], recursive: true });
    const refused = await remove();
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(refused.json)).toContain('snapshot');
    fs.rmdirSync(at(folder.vfid, 'kept/.snap/before'));
    expect((await remove()).status).toBeLessThan(300);
  });

  const usedBytes = async (folder: TestFolder): Promise<number> => {
    const { json } = await proxy.manager.expecting(200, 'GET', '/folder/usage', folder.ref);
    return Number(json['used_bytes']);
  };
  const counted = async (folder: TestFolder, bytes: number): Promise<boolean> =>
    (await usedBytes(folder)) >= bytes;

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async function offsetOf(token: string): Promise<number> {
    const { headers } = await proxy.client('HEAD', '/upload', { token });
    return Number(headers['upload-offset']);
  }
});

describe('a volume that cannot be used', () => {
  it.each([
    ['without the right to set quotas', 'restricted', /may not set quotas.*p\W+ flag/],
    ['on another filesystem', undefined, /not on CephFS/],
  ] as const)('%s says so', async (_what, mount, reason) => {
    const directory = new CephDirectory();
    const elsewhere = fs.mkdtempSync('/tmp/not-ceph-');
    const ceph = { backend: 'cephfs', path: mount ? directory.on(mount) : elsewhere };
    const proxy = await Proxy.start({}, { furtherVolumes: { ceph } });
    try {
      const health = await proxy.manager.call('GET', '/health');
      expect(JSON.stringify(health.json)).toMatch(/"component_id":"ceph","is_healthy":false/);
      expect(proxy.output).toMatch(reason);
      const { json } = await proxy.manager.expecting(200, 'GET', '/volumes');
      expect(JSON.stringify(json)).not.toContain('"ceph"');
    } finally {
      await proxy.stop();
      await directory.remove();
      fs.rmSync(elsewhere, { recursive: true });
    }
  });
});
