import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../support/free-port.js';
import { newVFolderId, vfolderPath } from '../support/ids.js';
import { ManagerClient } from '../support/manager-client.js';
import { ManagerEvents } from '../support/manager-events.js';
import { Nginx } from '../support/nginx.js';
import { sdkDownload, sdkUpload, stubbornUpload } from '../support/sdk-client.js';
import { TestServer } from '../support/server.js';
import { describeWith, VALKEY, ValkeyServer } from '../support/valkey-server.js';

const MIB = 1024 * 1024;
/** A host counts as dead after 45 s, and records are looked through every 15 s. */
const TAKEOVER_MS = 100_000;

describeWith(VALKEY, 'nginx')('two proxies over one directory, behind a plain balancer', () => {
  let valkey: ValkeyServer;
  let one: TestServer;
  let two: TestServer;
  let nginx: Nginx;
  let manager: ManagerClient;
  let events: ManagerEvents;
  let clientUrl: string;

  beforeAll(async () => {
    valkey = await ValkeyServer.start();
    one = await TestServer.prepare();
    two = await TestServer.prepare();
    for (const [server, node] of [
      [one, 'one'],
      [two, 'two'],
    ] as const) {
      server.configure({
        'storage-proxy': { 'node-id': node },
        volume: { local: { path: one.volumePath() } },
        valkey: { addr: valkey.address },
      });
    }
    await Promise.all([one.launch(), two.launch()]);
    const [clientPort = 0, managerPort = 0] = await freePorts(2);
    nginx = await Nginx.start(
      managerPort,
      () => `
      upstream clients { server 127.0.0.1:${one.ports.client} max_fails=0; server 127.0.0.1:${two.ports.client} max_fails=0; }
      upstream managers { server 127.0.0.1:${one.ports.manager} max_fails=0; server 127.0.0.1:${two.ports.manager} max_fails=0; }
      client_max_body_size 0;
      proxy_request_buffering off;
      proxy_http_version 1.1;
      server { listen 127.0.0.1:${clientPort}; location / { proxy_pass http://clients; } }
      server { listen 127.0.0.1:${managerPort}; location / { proxy_pass http://managers; } }`,
    );
    clientUrl = `http://127.0.0.1:${clientPort}`;
    manager = new ManagerClient(`http://127.0.0.1:${managerPort}`, one.secret);
    events = await new ManagerEvents(valkey).start();
  });

  afterAll(async () => {
    manager?.close();
    await events?.stop();
    await nginx?.stop();
    await two?.stop();
    await one?.stop();
    await valkey?.remove();
  });

  const pathOf = (vfid: string): string => join(one.volumePath(), vfolderPath(vfid));

  /** As managers do: up to three times when the answer breaks. */
  async function stubborn(path: string, body: object): Promise<Record<string, unknown>> {
    for (let tried = 1; ; tried++) {
      const answer = await manager.call('POST', path, body).catch(() => undefined);
      if (answer && answer.status < 500) return { ...answer.json, status: answer.status, tried };
      if (tried === 3) throw new Error(`${path}: ${answer?.status} ${answer?.text}`);
    }
  }

  async function folder(): Promise<string> {
    const vfid = newVFolderId('scoped');
    await stubborn('/folder/create', { volume: 'local', vfid, options: {} });
    return vfid;
  }

  async function token(
    kind: 'upload' | 'download',
    vfid: string,
    relpath: string,
    size?: number,
  ): Promise<string> {
    const body = {
      volume: 'local',
      vfid,
      relpath,
      ...(size !== undefined && { size: String(size) }),
    };
    return String((await stubborn(`/folder/file/${kind}`, body))['token']);
  }

  it('serve the whole life of a folder, as an SDK and a manager see it', async () => {
    const vfid = await folder();
    const content = randomBytes(8 * MIB);
    await sdkUpload({
      url: `${clientUrl}/upload`,
      token: await token('upload', vfid, 'data/set.bin', content.length),
      content,
      chunkBytes: MIB,
    });
    const download = await token('download', vfid, 'data/set.bin');
    const url = `${clientUrl}/download?token=${download}`;
    expect((await sdkDownload(url, 3 * MIB)).equals(content)).toBe(true);

    const copy = newVFolderId('scoped');
    const cloned = await stubborn('/folder/clone', {
      src_volume: 'local',
      src_vfid: vfid,
      dst_volume: null,
      dst_vfid: copy,
      options: null,
    });
    expect(cloned['bgtask_id']).toMatch(/^[0-9a-f-]{36}$/);
    const [clone] = await events.until(copy);
    expect(clone).toMatchObject({ name: 'vfolder_clone_success', args: [vfid, copy] });
    expect(readFileSync(join(pathOf(copy), 'data/set.bin')).equals(content)).toBe(true);

    for (const gone of [copy, vfid]) {
      expect((await stubborn('/folder/delete', { volume: 'local', vfid: gone }))['status']).toBe(
        202,
      );
    }
    await events.until(copy, 2);
    await events.until(vfid, 2);
    expect(existsSync(pathOf(vfid))).toBe(false);
    // Nothing was told twice by the two of them.
    expect(events.about(copy).map(({ name }) => name)).toEqual([
      'vfolder_clone_success',
      'vfolder_deletion_success',
    ]);
  });

  it('keep a connection that a manager uses again after 14 s', async () => {
    const direct = new ManagerClient(one.managerUrl, one.secret);
    const folderOf = { volume: 'local', vfid: await folder() };
    const list = { ...folderOf, relpath: '' };
    await direct.expecting(200, 'POST', '/folder/file/list', list);
    await sleep(14_000);
    await direct.expecting(200, 'POST', '/folder/file/list', list);
    // A JSON body on GET, too.
    await direct.expecting(200, 'GET', '/folder/mount', { ...folderOf, subpath: '.' });
    direct.close();
  });

  it('lose nothing when one of them is killed', async () => {
    const target = await folder();
    const doomed = await Promise.all(Array.from({ length: 8 }, folder));
    const contents = Array.from({ length: 4 }, () => randomBytes(6 * MIB));
    const tokens = await Promise.all(
      contents.map((content, index) => token('upload', target, `file${index}`, content.length)),
    );
    const uploads = contents.map((content, index) =>
      stubbornUpload(
        { url: `${clientUrl}/upload`, token: tokens[index]!, content, chunkBytes: 512 * 1024 },
        90_000,
      ),
    );
    const deletions = doomed.map((vfid) => stubborn('/folder/delete', { volume: 'local', vfid }));
    await sleep(100);
    two.signal('SIGKILL');
    await Promise.all(uploads);
    const answers = await Promise.all(deletions);
    await Promise.all(doomed.map((vfid) => events.until(vfid, 1, TAKEOVER_MS)));
    for (const vfid of doomed) expect(existsSync(pathOf(vfid))).toBe(false);
    for (const [index, content] of contents.entries()) {
      expect(readFileSync(join(pathOf(target), `file${index}`)).equals(content)).toBe(true);
    }
    // A request that was repeated because its answer broke may be a deletion of its own.
    for (const [index, vfid] of doomed.entries()) {
      expect(events.about(vfid).length).toBeLessThanOrEqual(Number(answers[index]!['tried']));
    }
  }, 180_000);
});
