import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BackendHost } from '../conformance/suite/backend-under-test.js';
import { flashBladeOptions } from '../support/flashblade-options.js';
import { newVFolderId, vfolderPath } from '../support/ids.js';
import { send } from '../support/http.js';
import { PuritySimulator } from '../support/purity-simulator/purity-simulator.js';
import { TestServer } from '../support/server.js';

const NFS = process.env['STORAGE_PROXY_TEST_NFS'] ?? '/mnt/nfs';
/** The same export through a client of its own, as on another host. */
const AGAIN = process.env['STORAGE_PROXY_TEST_NFS_AGAIN'] ?? '/mnt/other';
const EXPORTED = '/mnt/export/vol';
const THREADS = '/proc/fs/nfsd/threads';

/** What a network filesystem does to a proxy, with two proxies on one export. */
describe('FlashBlade volumes over NFSv3', () => {
  let array: PuritySimulator;
  let here: TestServer;
  let there: TestServer;
  const name = 'realities';

  const start = async (mount: string): Promise<TestServer> => {
    const options = {
      purity_endpoint: array.endpoint,
      purity_api_token: array.apiToken,
      purity_fs_name: 'vfolders',
      rapidfile: 'off',
    };
    const blade = { backend: 'purestorage', path: path.join(mount, name), options };
    return await TestServer.start({
      config: { volume: { blade }, health: { 'probe-interval': '4s', 'probe-timeout': '4s' } },
    });
  };
  const ask = async (
    server: TestServer,
    method: string,
    url: string,
    body?: object,
  ): Promise<{ status: number; text: string }> => {
    return await server.manager(method, url, body);
  };
  const createFolder = async (server: TestServer): Promise<string> => {
    const vfid = newVFolderId('scoped');
    const { status } = await ask(server, 'POST', '/folder/create', { volume: 'blade', vfid });
    expect(status).toBe(204);
    return vfid;
  };
  const uploadToken = async (vfid: string, relpath: string, size: number): Promise<string> => {
    const body = { volume: 'blade', vfid, relpath, size };
    const { status, text } = await ask(here, 'POST', '/folder/file/upload', body);
    expect([status, text]).toEqual([200, expect.stringContaining('token')]);
    return (JSON.parse(text) as { token: string }).token;
  };
  const patch = (server: TestServer, token: string, offset: number, bytes: Buffer) =>
    send(
      'PATCH',
      `${server.clientUrl}/upload?token=${token}`,
      {
        'tus-resumable': '1.0.0',
        'content-type': 'application/offset+octet-stream',
        'upload-offset': offset,
      },
      bytes,
    );
  const head = (server: TestServer, token: string) =>
    send('HEAD', `${server.clientUrl}/upload?token=${token}`, { 'tus-resumable': '1.0.0' });

  beforeAll(async () => {
    fs.mkdirSync(path.join(NFS, name));
    fs.writeFileSync(path.join(NFS, name, 'version.txt'), '3\n');
    array = await PuritySimulator.start();
    here = await start(NFS);
    there = await start(AGAIN);
  });
  afterAll(async () => {
    await here?.stop();
    await there?.stop();
    await array.stop();
  });

  it('shows a folder to the other proxy at once, although that has just looked for it', async () => {
    const vfid = newVFolderId('scoped');
    const body = { volume: 'blade', vfid };
    const used = (): Promise<{ status: number }> => ask(there, 'GET', '/folder/usage', body);
    expect((await used()).status).toBe(404);
    expect((await ask(here, 'POST', '/folder/create', body)).status).toBe(204);
    expect((await used()).status).toBe(200);
  });

  it('goes on with an upload at the other proxy, back and forth', async () => {
    const vfid = await createFolder(here);
    const part = 100_000;
    const content = randomBytes(4 * part);
    const token = await uploadToken(vfid, 'file', content.length);
    for (const [index, server] of [here, there, here, there].entries()) {
      const offset = index * part;
      expect((await head(server, token)).headers['upload-offset']).toBe(String(offset));
      const answer = await patch(server, token, offset, content.subarray(offset, offset + part));
      expect(answer.status).toBe(204);
    }
    const file = path.join(EXPORTED, name, vfolderPath(vfid), 'file');
    expect(fs.readFileSync(file).equals(content)).toBe(true);
  });

  it('deletes a folder of which a file is open', async () => {
    const vfid = await createFolder(here);
    const folder = path.join(NFS, name, vfolderPath(vfid));
    fs.mkdirSync(path.join(folder, 'deep'));
    fs.writeFileSync(path.join(folder, 'deep/open'), 'still read');
    const held = fs.openSync(path.join(folder, 'deep/open'), 'r');
    const { status } = await ask(here, 'POST', '/folder/delete', { volume: 'blade', vfid });
    expect(status).toBe(202);
    expect(fs.existsSync(folder)).toBe(false);
    const trash = path.join(EXPORTED, name, vfolderPath(vfid).split('/')[0]!, '.trash');
    const silly = (): string[] =>
      fs
        .readdirSync(trash, { recursive: true })
        .map(String)
        .filter((each) => /\.nfs/.test(each));
    await here.until('the file to be renamed by NFS', () => silly().length === 1);
    expect(fs.readFileSync(held, 'utf8')).toBe('still read');
    fs.closeSync(held);
    await here.until('the deletion to end', () => fs.readdirSync(trash).length === 0, 60_000);
  });

  it('acknowledges nothing that the full server did not take', async () => {
    const filler = '/mnt/export/filler';
    const size = 64 << 20;
    const vfid = await createFolder(here);
    const token = await uploadToken(vfid, 'large', size);
    const { bavail, bsize } = fs.statfsSync('/mnt/export');
    execFileSync('fallocate', ['-l', String(bavail * bsize - (16 << 20)), filler]);
    try {
      const answer = await patch(here, token, 0, Buffer.alloc(size, 7)).catch(() => undefined);
      expect([507, undefined]).toContain(answer?.status);
    } finally {
      fs.rmSync(filler);
    }
    const offset = Number((await head(here, token)).headers['upload-offset']);
    expect(offset).toBeLessThan(size);
    const rest = await patch(here, token, offset, Buffer.alloc(size - offset, 7));
    expect(rest.status).toBe(204);
    const stored = fs.readFileSync(path.join(EXPORTED, name, vfolderPath(vfid), 'large'));
    const wrong = stored.findIndex((byte) => byte !== 7);
    expect([stored.length, offset, wrong]).toEqual([size, offset, -1]);
  });

  it('refuses a mount whose locks stay on this host', async () => {
    const mount = '/mnt/nolock';
    fs.mkdirSync(mount);
    const how = 'vers=3,proto=tcp,nolock,nosharecache';
    execFileSync('mount', ['-t', 'nfs', '-o', how, '127.0.0.1:/mnt/export/vol', mount]);
    const options = { ...flashBladeOptions(array), requireNfs: true };
    const disk = { path: mount, options, dispose: () => undefined };
    const host = new BackendHost({ name: 'purestorage', makeVolume: async () => disk });
    await host.start();
    try {
      await expect(host.open()).rejects.toThrow('local_locks = "allow"');
      const alone = { ...host.settings(disk), options: { ...options, localLocks: 'allow' } };
      const strategies = await host.backend.open(alone);
      expect(strategies.warnings.join()).toContain('lookupcache=positive');
      await strategies.close(5000);
    } finally {
      await host.stop();
      execFileSync('umount', [mount]);
    }
  });

  it('serves its other volumes while the file server hangs, and this one again afterwards', async () => {
    const vfid = await createFolder(here);
    const content = randomBytes(200_000);
    const token = await uploadToken(vfid, 'begun', content.length);
    expect((await patch(here, token, 0, content.subarray(0, 100_000))).status).toBe(204);
    const listed = async (): Promise<string> => (await ask(here, 'GET', '/volumes')).text;
    fs.writeFileSync(THREADS, '0');
    try {
      await here.until(
        'the volume to be left out',
        async () => !(await listed()).includes('"blade"'),
      );
      expect(await listed()).toContain('"local"');
      const { status } = await ask(here, 'GET', '/folder/usage', { volume: 'blade', vfid });
      expect(status).toBe(503);
      expect((await send('GET', `${here.internalUrl}/readyz`)).status).toBe(200);
    } finally {
      fs.writeFileSync(THREADS, '4');
    }
    await here.until(
      'the volume to be back',
      async () => (await listed()).includes('"blade"'),
      60_000,
    );
    const { status } = await ask(here, 'GET', '/folder/usage', { volume: 'blade', vfid });
    expect(status).toBe(200);
    // The server grants no lock until those that clients had before are reclaimed.
    await here.until('the upload to go on', async () => {
      return (await head(here, token)).headers['upload-offset'] === '100000';
    });
    expect((await patch(here, token, 100_000, content.subarray(100_000))).status).toBe(204);
    const stored = fs.readFileSync(path.join(EXPORTED, name, vfolderPath(vfid), 'begun'));
    expect(stored.equals(content)).toBe(true);
  });
});
