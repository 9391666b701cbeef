import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'iovalkey';
import { begin, send } from '../support/http.js';
import { newVFolderId } from '../support/ids.js';
import { ManagerClient } from '../support/manager-client.js';
import { ManagerEvents, receivedBroadcast } from '../support/manager-events.js';
import { ProxyPair } from '../support/proxy-pair.js';
import { sdkDownload, sdkUpload, stubbornUpload } from '../support/sdk-client.js';
import type { TestServer } from '../support/server.js';
import { readToken } from '../support/tokens.js';
import { describeWith, VALKEY, ValkeyServer } from '../support/valkey-server.js';

const MIB = 1024 * 1024;
const PATIENCE_MS = 90_000;
/** Files of a folder whose deletion, or cloning, takes longer than noticing that it runs. */
const MANY = { deletion: 20_000, clone: 4_000 };
/** A manager's connection stays idle for less than 15 s. */
const IDLE_MS = 14_000;

const CONFIG = {
  jobs: { 'takeover-after': '9s' },
  // Less than a lease lasts, and than a client may be silent: what succeeds did not wait for either.
  uploads: { 'lock-wait': '25s', 'idle-timeout': '10m' },
};

describeWith(VALKEY, 'nginx')('two proxies over one directory, behind a plain balancer', () => {
  let valkey: ValkeyServer;
  let pair: ProxyPair;
  let events: ManagerEvents;
  let subscriber: Redis;
  let idle: Promise<() => void>;
  // Several kinds of patience add up.
  jest.setTimeout(300_000);
  const broadcasts: string[] = [];
  const asked: string[] = [];

  beforeAll(async () => {
    valkey = await ValkeyServer.start();
    pair = await ProxyPair.start(valkey, CONFIG);
    events = await new ManagerEvents(valkey).start();
    subscriber = valkey.client(0).duplicate();
    await subscriber.subscribe('events_all', 'storage-proxy.upload-release');
    subscriber.on('message', (channel, text: string) => {
      (channel === 'events_all' ? broadcasts : asked).push(text);
    });
    idle = pauseAndAskAgain().then(
      () => () => undefined,
      (error: unknown) => () => {
        throw error;
      },
    );
  });

  afterAll(async () => {
    await idle;
    subscriber?.disconnect();
    await events?.stop();
    await pair?.stop();
    await valkey?.remove();
  });

  /** A connection that a manager uses again just before it would give it up. */
  async function pauseAndAskAgain(): Promise<void> {
    const direct = new ManagerClient(pair.one.managerUrl, pair.one.secret);
    const folder = { volume: 'local', vfid: await pair.folder() };
    const list = { ...folder, relpath: '' };
    await direct.expecting(200, 'POST', '/folder/file/list', list);
    await sleep(IDLE_MS);
    await direct.expecting(200, 'POST', '/folder/file/list', list);
    // A JSON body on GET, too.
    await direct.expecting(200, 'GET', '/folder/mount', { ...folder, subpath: '.' });
    direct.close();
  }

  /** One file under many names: quick to make, slow to go through. */
  async function bigFolder(files: number): Promise<string> {
    const vfid = await pair.folder();
    writeFileSync(pair.path(vfid, 'file'), 'content');
    for (let index = 0; index < files; index++) {
      if (index % 1_000 === 0) mkdirSync(pair.path(vfid, `d${index}`));
      const directory = `d${index - (index % 1_000)}`;
      linkSync(pair.path(vfid, 'file'), pair.path(vfid, directory, `f${index}`));
    }
    return vfid;
  }

  const startDeletion = (server: TestServer, vfid: string): Promise<string> =>
    jobOf(server, '/folder/delete', { volume: 'local', vfid });

  async function jobOf(server: TestServer, path: string, body: object): Promise<string> {
    const { json } = await server.manager('POST', path, body);
    return String(json['bgtask_id']);
  }

  interface Recorded {
    readonly state?: string;
    readonly owner?: { readonly node: string } | null;
  }

  /** The first, and one for each takeover. */
  function recordsOf(job: string): Recorded[] {
    const directory = join(pair.one.volumePath(), '.storage-proxy/jobs');
    const records: Recorded[] = [];
    for (;;) {
      const turn = records.length === 0 ? '' : `.${records.length}`;
      const file = join(directory, `${job}${turn}.json`);
      if (!existsSync(file)) return records;
      records.push(JSON.parse(readFileSync(file, 'utf8')) as Recorded);
    }
  }
  /** As the host wrote it that began the job: on a machine that stands still it may be taken over before. */
  const firstRecordOf = (job: string): Recorded => recordsOf(job)[0] ?? {};

  /** Does something to a host in the middle of a job of its. Tries with another job when that was already over. */
  async function inTheMiddle(
    start: () => Promise<{ job: string; vfid: string }>,
    strike: () => void | Promise<void>,
    retry: () => void | Promise<void>,
  ): Promise<{ job: string; vfid: string }> {
    for (;;) {
      const started = await start();
      while (firstRecordOf(started.job).state === 'pending') await sleep(1);
      await strike();
      if (firstRecordOf(started.job).state === 'running') return started;
      await retry();
    }
  }

  const broadcastsOf = (job: string): string[] =>
    broadcasts
      .map((text) => receivedBroadcast(text))
      .filter(({ payload }) => payload['task_id'] === job)
      .map(({ name }) => name);
  const auditsOf = (job: string): unknown[] =>
    [pair.one, pair.two].flatMap(({ log }) =>
      log.filter(
        (line) =>
          line.component === 'audit' &&
          line['job'] === job &&
          String(line['operation']).startsWith('job.'),
      ),
    );
  const untilDone = (job: string): Promise<void> =>
    pair.one.until(
      `job ${job} to be done`,
      () => recordsOf(job).at(-1)?.state === 'done',
      PATIENCE_MS,
    );

  async function expectToldOnce(job: string, vfid: string, event: string): Promise<void> {
    await events.until(vfid, 1, PATIENCE_MS);
    const ended = (): string[] => broadcastsOf(job).filter((name) => name !== 'bgtask_updated');
    await pair.one.until('the end to be told', () => ended().length > 0, PATIENCE_MS);
    await pair.one.until('the record of the audit', () => auditsOf(job).length > 0);
    expect(events.about(vfid).map(({ name }) => name)).toEqual([event]);
    expect(ended()).toEqual(['bgtask_done']);
    expect(auditsOf(job)).toHaveLength(1);
  }

  it('serve the whole life of a folder, as an SDK and a manager see it', async () => {
    const vfid = await pair.folder();
    const content = randomBytes(8 * MIB);
    await sdkUpload({
      url: `${pair.clientUrl}/upload`,
      token: await pair.token(vfid, 'data/set.bin', content.length),
      content,
      chunkBytes: MIB,
    });
    const download = await pair.token(vfid, 'data/set.bin');
    const url = `${pair.clientUrl}/download?token=${download}`;
    expect((await sdkDownload(url, 3 * MIB)).equals(content)).toBe(true);

    const copy = newVFolderId('scoped');
    const cloned = await pair.stubborn('/folder/clone', {
      src_volume: 'local',
      src_vfid: vfid,
      dst_volume: null,
      dst_vfid: copy,
      options: null,
    });
    expect(cloned.json['bgtask_id']).toMatch(/^[0-9a-f-]{36}$/);
    const [clone] = await events.until(copy);
    expect(clone).toMatchObject({ name: 'vfolder_clone_success', args: [vfid, copy] });
    expect(readFileSync(pair.path(copy, 'data/set.bin')).equals(content)).toBe(true);

    for (const gone of [copy, vfid]) {
      const { status } = await pair.stubborn('/folder/delete', { volume: 'local', vfid: gone });
      expect(status).toBe(202);
    }
    await events.until(copy, 2);
    await events.until(vfid, 2);
    expect(existsSync(pair.path(vfid))).toBe(false);
    // Nothing was told twice by the two of them.
    expect(events.about(copy).map(({ name }) => name)).toEqual([
      'vfolder_clone_success',
      'vfolder_deletion_success',
    ]);
  });

  it('hand an upload on whose client is dead, long before its lease or its silence would end', async () => {
    const vfid = await pair.folder();
    const content = randomBytes(3 * MIB);
    const token = await pair.token(vfid, 'file', content.length);
    const session = String(readToken(token, pair.one.jwtKey).claims['session']);
    const at = (server: TestServer): string => `${server.clientUrl}/upload?token=${token}`;
    const silent = begin('PATCH', at(pair.one), { 'upload-offset': 0, 'content-length': 3 * MIB });
    silent.on('error', () => undefined);
    silent.write(content.subarray(0, MIB));
    await pair.one.until('the lease', async () => {
      return (await valkey.client(8).exists(`tus.upload.lease:${session}`)) === 1;
    });
    const head = await send('HEAD', at(pair.two));
    const offset = Number(head.headers['upload-offset']);
    const rest = content.subarray(offset);
    const answer = await send('PATCH', at(pair.two), { 'upload-offset': offset }, rest);
    expect([head.status, answer.status]).toEqual([200, 204]);
    expect(readFileSync(pair.path(vfid, 'file')).equals(content)).toBe(true);
    expect(asked).toContain(session);
    silent.destroy();
  });

  it('take over a job of the other when it is dead, once', async () => {
    const { job, vfid } = await inTheMiddle(
      async () => {
        const folder = await bigFolder(MANY.deletion);
        return { job: await startDeletion(pair.two, folder), vfid: folder };
      },
      async () => {
        pair.two.signal('SIGKILL');
        await pair.two.ended();
      },
      () => pair.two.launch(),
    );
    expect(firstRecordOf(job)).toMatchObject({ owner: { node: 'two' } });
    await untilDone(job);
    expect(existsSync(pair.path(vfid))).toBe(false);
    await expectToldOnce(job, vfid, 'vfolder_deletion_success');
    await pair.two.launch();
  });

  it('take over a job of the other when it stands still and keeps its locks, and let it come back', async () => {
    const source = await bigFolder(MANY.clone);
    const { job, vfid } = await inTheMiddle(
      async () => {
        const copy = newVFolderId('scoped');
        const body = { src_volume: 'local', src_vfid: source, dst_volume: null, dst_vfid: copy };
        return { job: await jobOf(pair.two, '/folder/clone', body), vfid: copy };
      },
      () => pair.two.signalGroup('SIGSTOP'),
      () => pair.two.signalGroup('SIGCONT'),
    );
    try {
      await untilDone(job);
    } finally {
      pair.two.signalGroup('SIGCONT');
    }
    // While it still believes in its attempt it says so.
    await pair.two.until(
      'the one that came back to notice',
      async () => (await pair.two.manager('GET', `/jobs/${job}`)).json['state'] === 'done',
      PATIENCE_MS,
    );
    const names = readdirSync(pair.path(vfid), { recursive: true });
    expect(names).toHaveLength(readdirSync(pair.path(source), { recursive: true }).length);
    await expectToldOnce(job, vfid, 'vfolder_clone_success');
  });

  it('keep a connection that a manager uses again after 14 s', async () => {
    const outcome = await idle;
    outcome();
  });

  it('lose nothing when either is killed at any moment, and start again', async () => {
    // Nor the connection that is idle.
    await idle;
    for (const victim of [pair.one, pair.two].toSorted(() => randomInt(2) - 0.5)) {
      const target = await pair.folder();
      const doomed = await Promise.all(Array.from({ length: 6 }, () => pair.folder()));
      const contents = Array.from({ length: 4 }, () => randomBytes(6 * MIB));
      const uploads = contents.map(async (content, index) => {
        const token = await pair.token(target, `file${index}`, content.length);
        const url = `${pair.clientUrl}/upload`;
        await stubbornUpload({ url, token, content, chunkBytes: MIB / 2 }, PATIENCE_MS);
      });
      const deletions = doomed.map((vfid) =>
        pair.stubborn('/folder/delete', { volume: 'local', vfid }),
      );
      await sleep(randomInt(200));
      victim.signal('SIGKILL');
      await victim.ended();
      await Promise.all(uploads);
      const answers = await Promise.all(deletions);
      await victim.launch();
      await Promise.all(doomed.map((vfid) => events.until(vfid, 1, PATIENCE_MS)));
      for (const vfid of doomed) expect(existsSync(pair.path(vfid))).toBe(false);
      for (const [index, content] of contents.entries()) {
        expect(readFileSync(pair.path(target, `file${index}`)).equals(content)).toBe(true);
      }
      // A request that was repeated because its answer broke may be a deletion of its own.
      for (const [index, vfid] of doomed.entries()) {
        expect(events.about(vfid).length).toBeLessThanOrEqual(answers[index]!.tried);
      }
    }
  });
});
