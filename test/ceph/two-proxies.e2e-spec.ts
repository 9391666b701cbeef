import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { newScope, newVFolderId, vfolderPath } from '../support/ids.js';
import { Proxy, type TestFolder } from '../support/proxy.js';
import { CephDirectory } from './rig.js';

const MIB = 1024 * 1024;

/** As on two hosts: each proxy has a client, and so a mount, of its own. */
describe('two proxies on two mounts of one tree', () => {
  let directory: CephDirectory;
  let proxies: [Proxy, Proxy];

  beforeAll(async () => {
    directory = new CephDirectory();
    fs.writeFileSync(directory.on('operator', 'version.txt'), '3\n');
    const start = (mount: 'a' | 'b'): Promise<Proxy> => {
      const ceph = { backend: 'cephfs', path: directory.on(mount) };
      return Proxy.start({ 'node-id': mount }, { volumes: [], furtherVolumes: { ceph } });
    };
    proxies = await Promise.all([start('a'), start('b')]);
  });
  afterAll(async () => {
    await Promise.all((proxies ?? []).map((proxy) => proxy.stop()));
    await directory.remove();
  });

  const createFolder = (vfid = newVFolderId('scoped')): Promise<TestFolder> =>
    proxies[0].createFolder('scoped', vfid, 'ceph');
  const at = (folder: TestFolder, ...below: string[]): string =>
    directory.on('operator', vfolderPath(folder.vfid), ...below);
  const offsetOf = async (proxy: Proxy, token: string): Promise<number> =>
    Number((await proxy.client('HEAD', '/upload', { token })).headers['upload-offset']);

  it('continue each other’s uploads', async () => {
    const folder = await createFolder();
    const content = randomBytes(8 * MIB);
    const token = await proxies[0].uploadToken(folder, 'file', content.length);
    for (let part = 0; part < 8; part++) {
      const proxy = proxies[part % 2]!;
      expect(await offsetOf(proxy, token)).toBe(part * MIB);
      const body = content.subarray(part * MIB, (part + 1) * MIB);
      expect((await proxy.patch(token, part * MIB, body)).status).toBe(204);
    }
    expect(fs.readFileSync(at(folder, 'file')).equals(content)).toBe(true);
    for (const proxy of proxies) expect(await offsetOf(proxy, token)).toBe(content.length);
  });

  it('let one of two write the same bytes', async () => {
    const folder = await createFolder();
    const content = randomBytes(4 * MIB);
    const token = await proxies[0].uploadToken(folder, 'file', content.length);
    const answers = await Promise.all(proxies.map((proxy) => proxy.patch(token, 0, content)));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses[0]).toBe(204);
    expect([204, 409]).toContain(statuses[1]);
    expect(fs.readFileSync(at(folder, 'file')).equals(content)).toBe(true);
  });

  it('admit one of two uploads that fit only alone', async () => {
    const qsid = newScope();
    const scope = { volume: 'ceph', qsid, options: { limit_bytes: 10 * MIB } };
    await proxies[0].manager.expecting(204, 'POST', '/quota-scope', scope);
    const folder = await createFolder(newVFolderId('scoped', qsid));
    const ask = (proxy: Proxy, name: string) =>
      proxy.manager.call('POST', '/folder/file/upload', {
        ...folder.ref,
        relpath: name,
        size: 6 * MIB,
      });
    const answers = await Promise.all(proxies.map((proxy, index) => ask(proxy, `f${index}`)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 400]);
  });

  it('tell of each other’s jobs, and delete everything once', async () => {
    const folders = await Promise.all(Array.from({ length: 4 }, () => createFolder()));
    for (const folder of folders) {
      for (let index = 0; index < 20; index++) fs.writeFileSync(at(folder, `f${index}`), 'x');
    }
    // Each deletion is asked of both, as a manager does whose first answer was lost.
    const jobs = await Promise.all(
      folders.flatMap((folder) =>
        proxies.map((proxy) => proxy.manager.call('POST', '/folder/delete', folder.ref)),
      ),
    );
    for (const { status, json } of jobs) {
      expect(status).toBe(202);
      for (const { manager } of proxies)
        expect((await manager.jobEnd({ json })).state).toBe('done');
    }
    for (const folder of folders) expect(fs.existsSync(at(folder))).toBe(false);
  });

  it('clone what the other has uploaded', async () => {
    const folder = await createFolder();
    const token = await proxies[0].uploadToken(folder, 'file', 5);
    expect((await proxies[0].patch(token, 0, Buffer.from('hello'))).status).toBe(204);
    const vfid = newVFolderId('scoped');
    const answer = await proxies[1].manager.expecting(200, 'POST', '/folder/clone', {
      src_volume: 'ceph',
      src_vfid: folder.vfid,
      dst_volume: 'ceph',
      dst_vfid: vfid,
    });
    expect((await proxies[0].manager.jobEnd(answer)).state).toBe('done');
    expect(fs.readFileSync(directory.on('operator', vfolderPath(vfid), 'file'), 'utf8')).toBe(
      'hello',
    );
  });
});
