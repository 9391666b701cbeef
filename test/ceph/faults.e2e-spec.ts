import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerTo, begin, type Answer } from '../support/http.js';
import { newVFolderId, vfolderPath } from '../support/ids.js';
import { Proxy, type TestFolder } from '../support/proxy.js';
import { CephDirectory, withStopped, type DaemonName } from './rig.js';

const MIB = 1024 * 1024;
/** Deadline of the metadata operations of the proxy under test. */
const DEADLINE = '2s';

/** A daemon that is stopped answers nobody, and loses nothing: what a client sees of a cluster that hangs. */
describe.each<DaemonName>(['mds.m', 'osd.0'])('while %s does not answer', (daemon) => {
  let directory: CephDirectory;
  let proxy: Proxy;
  let folder: TestFolder;
  let local: TestFolder;

  beforeAll(async () => {
    directory = new CephDirectory();
    fs.writeFileSync(directory.on('operator', 'version.txt'), '3\n');
    const ceph = { backend: 'cephfs', path: directory.on('a') };
    proxy = await Proxy.start(
      {},
      { furtherVolumes: { ceph }, config: { limits: { 'operation-timeout': DEADLINE } } },
    );
    folder = await proxy.createFolder('scoped', newVFolderId('scoped'), 'ceph');
    local = await proxy.createFolder('scoped');
  });
  afterAll(async () => {
    await proxy?.stop();
    await directory.remove();
  });

  const at = (...below: string[]): string =>
    directory.on('operator', vfolderPath(folder.vfid), ...below);
  const list = (of: TestFolder): Promise<Answer> =>
    proxy.manager.call('POST', '/folder/file/list', { ...of.ref, relpath: '.' });

  /** Uses the other volume, as often as it takes, until `done`; all of it must succeed. */
  async function useOther(done: Promise<unknown>): Promise<number> {
    const work = { isDone: false };
    void done.catch(() => undefined).finally(() => (work.isDone = true));
    let answered = 0;
    while (!work.isDone) {
      const name = `f${answered}`;
      const token = await proxy.uploadToken(local, name, 5);
      expect((await proxy.patch(token, 0, Buffer.from('hello'))).status).toBe(204);
      expect((await list(local)).status).toBe(200);
      answered++;
    }
    return answered;
  }

  /** A download of which some has come, and whose client takes no more for now. */
  async function downloadBegun(token: string): Promise<IncomingMessage> {
    const request = begin('GET', `${proxy.clientOrigin}/download?token=${token}`);
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end();
    const [incoming] = await answered;
    expect(incoming.statusCode).toBe(200);
    await once(incoming, 'readable');
    return incoming;
  }

  async function restOf(incoming: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  async function isHealthy(): Promise<boolean> {
    const { json } = await proxy.manager.call('GET', '/health');
    const { connectivity_checks: checks } = json['connectivity'] as {
      connectivity_checks: { component_id: string; is_healthy: boolean }[];
    };
    return checks.find(({ component_id: id }) => id === 'ceph')?.is_healthy ?? false;
  }

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
      await sleep(100);
    }
  }

  it('answers 503 or serves from what it has, says so, and leaves other volumes alone', async () => {
    await withStopped(daemon, async () => {
      const attempts = (async () => {
        const statuses: number[] = [];
        // Names that no cache has, and data that has to be synced.
        for (let attempt = 0; attempt < 3; attempt++) {
          const body = { ...folder.ref, relpath: `new-${attempt}`, size: 5 };
          statuses.push((await proxy.manager.call('POST', '/folder/file/upload', body)).status);
        }
        await until('the sick volume to show', async () => !(await isHealthy()));
        return statuses;
      })();
      // Three deadlines have passed meanwhile, and each of these would have waited for one.
      expect(await useOther(attempts)).toBeGreaterThan(3);
      for (const status of await attempts) expect(status).toBe(503);
    });
    await until('the volume to be well', isHealthy);
    expect((await list(folder)).status).toBe(200);
  });

  it('keeps an upload waiting, and loses nothing of it', async () => {
    const content = randomBytes(6 * MIB);
    const token = await proxy.uploadToken(folder, 'upload', content.length);
    const url = `${proxy.clientOrigin}/upload?token=${token}`;
    const patch = begin('PATCH', url, { 'upload-offset': 0, 'content-length': content.length });
    const answer = answerTo(patch).then(
      ({ status }) => status,
      () => 0,
    );
    patch.write(content.subarray(0, 2 * MIB));
    // Records have bytes from the start, and uploads that were answered 503 may have left empty files.
    const isStaging = (name: string): boolean => /^[0-9a-f]{32}$/.test(name);
    await until('bytes on disk', async () =>
      fs
        .readdirSync(at('.upload'))
        .some((name) => isStaging(name) && fs.statSync(at('.upload', name)).size > 0),
    );
    await withStopped(daemon, async () => {
      patch.end(content.subarray(2 * MIB));
      await useOther(sleep(3_000));
    });
    // Whatever became of the request, the client resumes where the proxy says it is.
    await answer;
    await until('the volume to be well', isHealthy);
    await until('the upload to be there', async () => {
      const { status, headers } = await proxy.client('HEAD', '/upload', { token });
      if (status !== 200) return false;
      const offset = Number(headers['upload-offset']);
      if (offset === content.length) return true;
      await proxy.patch(token, offset, content.subarray(offset));
      return false;
    });
    expect(fs.readFileSync(at('upload')).equals(content)).toBe(true);
  });

  it('goes on with a download and with a deletion', async () => {
    const content = randomBytes(24 * MIB);
    fs.writeFileSync(at('download'), content);
    const doomed = await proxy.createFolder('scoped', newVFolderId('scoped'), 'ceph');
    const doomedPath = directory.on('operator', vfolderPath(doomed.vfid));
    for (let index = 0; index < 300; index++) fs.writeFileSync(`${doomedPath}/f${index}`, 'x');
    const token = await proxy.downloadToken(folder, 'download');
    const job = await proxy.manager.expecting(202, 'POST', '/folder/delete', doomed.ref);
    const download = await downloadBegun(token);
    await withStopped(daemon, async () => {
      await useOther(sleep(3_000));
    });
    expect((await restOf(download)).equals(content)).toBe(true);
    await until('the volume to be well', isHealthy);
    expect((await proxy.manager.jobEnd(job)).state).toBe('done');
    expect(fs.existsSync(doomedPath)).toBe(false);
    expect((await proxy.manager.expecting(200, 'GET', '/volumes')).text).toContain('"ceph"');
  });
});
