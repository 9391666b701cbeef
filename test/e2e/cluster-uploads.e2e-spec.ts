import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { begin, send, type Answer } from '../support/http.js';
import { newVFolderId, vfolderPath } from '../support/ids.js';
import { TestServer } from '../support/server.js';
import { readToken } from '../support/tokens.js';
import { describeWith, VALKEY, ValkeyServer } from '../support/valkey-server.js';

const DB = 8;
const MIB = 1024 * 1024;

describeWith(VALKEY)('uploads through the registry', () => {
  let valkey: ValkeyServer;
  let server: TestServer;
  const vfid = newVFolderId('scoped');

  beforeAll(async () => {
    valkey = await ValkeyServer.start();
    server = await TestServer.start({
      config: {
        valkey: { addr: valkey.address, 'request-timeout': 60 },
        uploads: { 'lock-wait': '10s' },
      },
    });
    await server.manager('POST', '/folder/create', { volume: 'local', vfid });
  });

  afterAll(async () => {
    await server?.stop();
    await valkey?.remove();
  });

  const folder = { volume: 'local', vfid };
  const list = { ...folder, relpath: '' };

  /** What `/health` says of Valkey. */
  async function connections(): Promise<Row[]> {
    const { json } = await server.manager('GET', '/health');
    const { connectivity_checks: checks } = json['connectivity'] as { connectivity_checks: Row[] };
    return checks.filter((row) => row.service_group === 'redis');
  }

  async function upload(relpath: string, size: number): Promise<Upload> {
    const body = { volume: 'local', vfid, relpath, size };
    const { json } = await server.manager('POST', '/folder/file/upload', body);
    return new Upload(String(json['token']));
  }

  class Upload {
    readonly session: string;

    constructor(readonly token: string) {
      this.session = String(readToken(token, server.jwtKey).claims['session']);
    }

    get url(): string {
      return `${server.clientUrl}/upload?token=${this.token}`;
    }
    get staging(): string {
      return join(server.volumePath(), vfolderPath(vfid), '.upload', this.session);
    }
    offset(): Promise<string | null> {
      return valkey.client(DB).get(`tus.upload.offset:${this.session}`);
    }
    lease(): Promise<string | null> {
      return valkey.client(DB).get(`tus.upload.lease:${this.session}`);
    }
    patch(offset: number, body: Buffer): Promise<Answer> {
      return send('PATCH', this.url, { 'upload-offset': offset }, body);
    }
    head(): Promise<Answer> {
      return send('HEAD', this.url);
    }
  }

  it('keeps the keys of the original', async () => {
    const one = await upload('keys', 2 * MIB);
    expect(await one.offset()).toBe('0');
    expect(await valkey.client(DB).ttl(`tus.upload.offset:${one.session}`)).toBeGreaterThan(86_390);
    expect((await one.patch(0, Buffer.alloc(MIB))).status).toBe(204);
    expect(await one.offset()).toBe(String(MIB));
    expect(await one.lease()).toBeNull();
    expect((await one.patch(MIB, Buffer.alloc(MIB))).status).toBe(204);
    // Nothing is left for a day.
    expect(await one.offset()).toBeNull();
    expect(readFileSync(join(server.volumePath(), vfolderPath(vfid), 'keys'))).toHaveLength(
      2 * MIB,
    );
  });

  it('has a lease, named after the node, while a body is coming, and keeps what came', async () => {
    const one = await upload('broken', 4 * MIB);
    const outgoing = begin('PATCH', one.url, { 'upload-offset': 0, 'content-length': 4 * MIB });
    outgoing.on('error', () => undefined);
    outgoing.write(Buffer.alloc(MIB));
    await server.until('the lease', async () => (await one.lease()) !== null);
    expect(await one.lease()).toMatch(/^test:[0-9a-f]{32}$/);
    outgoing.destroy();
    await server.until('what came to count', async () => (await one.offset()) === String(MIB));
    expect((await one.head()).headers['upload-offset']).toBe(String(MIB));
  });

  it('waits for a lease of another proxy', async () => {
    const one = await upload('waiting', MIB);
    await valkey.client(DB).set(`tus.upload.lease:${one.session}`, 'other:0', 'EX', 30);
    const answer = one.patch(0, Buffer.alloc(MIB));
    await valkey.client(DB).del(`tus.upload.lease:${one.session}`);
    expect((await answer).status).toBe(204);
  });

  it('takes a lease over at once that a dead worker of its own left behind', async () => {
    const one = await upload('dead', 4 * MIB);
    const outgoing = begin('PATCH', one.url, { 'upload-offset': 0, 'content-length': 4 * MIB });
    const broken = once(outgoing, 'error');
    outgoing.write(Buffer.alloc(MIB));
    await server.until('the lease', async () => (await one.lease()) !== null);
    const dead = await one.lease();
    server.signal('SIGKILL');
    await server.ended();
    await broken;
    // It must not run out by itself while the server starts.
    await valkey.client(DB).persist(`tus.upload.lease:${one.session}`);
    await server.launch();
    expect(await one.lease()).toBe(dead);
    const answer = await one.head();
    expect(answer.status).toBe(200);
    expect(
      (
        await one.patch(
          Number(answer.headers['upload-offset']),
          Buffer.alloc(4 * MIB - Number(answer.headers['upload-offset'])),
        )
      ).status,
    ).toBe(204);
  });

  it('stops writing, and touches nothing, when another proxy has taken the lease', async () => {
    const one = await upload('lost', 64 * MIB);
    const outgoing = begin('PATCH', one.url, { 'upload-offset': 0, 'content-length': 64 * MIB });
    const answered = once(outgoing, 'response');
    outgoing.on('error', () => undefined);
    outgoing.write(Buffer.alloc(MIB));
    await server.until('the lease', async () => (await one.lease()) !== null);
    await valkey.client(DB).set(`tus.upload.lease:${one.session}`, 'other:0', 'EX', 30);
    // Notices when it renews.
    const [response] = (await answered) as [{ statusCode: number }];
    expect(response.statusCode).toBe(409);
    outgoing.destroy();
    expect(await one.lease()).toBe('other:0');
    expect(await one.offset()).toBe('0');
  });

  it('rebuilds the offset from the file after a flush', async () => {
    const one = await upload('flushed', 2 * MIB);
    await one.patch(0, Buffer.alloc(MIB));
    await valkey.client(DB).flushall();
    expect((await one.head()).headers['upload-offset']).toBe(String(MIB));
    expect(await one.offset()).toBe(String(MIB));
    expect((await one.patch(MIB, Buffer.alloc(MIB))).status).toBe(204);
  });

  it('believes the offset of another proxy, which keeps no record here', async () => {
    const one = await upload('foreign', 3 * MIB);
    await one.patch(0, Buffer.alloc(MIB, 1));
    // As the original writes: behind what is there, and then it adds up.
    appendFileSync(one.staging, Buffer.alloc(MIB, 2));
    await valkey.client(DB).incrby(`tus.upload.offset:${one.session}`, MIB);
    expect((await one.patch(MIB, Buffer.alloc(MIB))).status).toBe(409);
    expect((await one.head()).headers['upload-offset']).toBe(String(2 * MIB));
    expect((await one.patch(2 * MIB, Buffer.alloc(MIB, 3))).status).toBe(204);
    const whole = readFileSync(join(server.volumePath(), vfolderPath(vfid), 'foreign'));
    expect([0, 1, 2].map((part) => whole[part * MIB])).toEqual([1, 2, 3]);
  });

  it('waits while Valkey is restarted, and serves what does not need it meanwhile', async () => {
    const one = await upload('restart', MIB);
    await valkey.kill();
    const answer = one.patch(0, Buffer.alloc(MIB));
    const listing = await server.manager('POST', '/folder/file/list', {
      volume: 'local',
      vfid,
      relpath: '',
    });
    expect(listing.status).toBe(200);
    await valkey.start();
    expect((await answer).status).toBe(204);
  });

  it('says clearly that Valkey is gone, in the answer and in /health, and recovers', async () => {
    const one = await upload('gone', MIB);
    await valkey.kill();
    const answer = await one.patch(0, Buffer.alloc(MIB));
    expect(answer.status).toBe(503);
    expect(String(answer.json['msg'])).toContain('Valkey');
    const sick = (await connections()).filter(({ is_healthy: healthy }) => !healthy);
    expect(sick.map((row) => `${row.service_group}:${row.component_id}`)).toEqual([
      'redis:statistics',
      'redis:events',
      'redis:uploads',
    ]);
    await valkey.start();
    await server.until(
      'the health to be good',
      async () => (await server.manager('GET', '/health')).json['status'] === 'ok',
    );
    expect((await one.patch(0, Buffer.alloc(MIB))).status).toBe(204);
  });

  it('says clearly that the password is wrong, serves what needs none, and recovers', async () => {
    const one = await upload('refused', MIB);
    const admin = valkey.client(0);
    await admin.call('CONFIG', 'SET', 'requirepass', 'changed');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const sick = async (): Promise<Row[]> =>
      (await connections()).filter(({ is_healthy: healthy }) => !healthy);
    await server.until('all connections to be refused', async () => {
      const rows = await sick();
      return rows.length === 3 && rows.every((row) => /NOAUTH/.test(String(row.error_message)));
    });
    const refused = await server.manager('POST', '/folder/file/upload', {
      ...folder,
      relpath: 'other',
      size: 1,
    });
    expect([refused.status, refused.json['msg']]).toEqual([503, expect.stringContaining('NOAUTH')]);
    expect((await server.manager('POST', '/folder/file/list', list)).status).toBe(200);
    await admin.call('CONFIG', 'SET', 'requirepass', '');
    await server.until('all connections to be good', async () => (await sick()).length === 0);
    expect((await one.patch(0, Buffer.alloc(MIB))).status).toBe(204);
  });

  it('slows nothing down that does not need it when it does not answer', async () => {
    const { json } = await server.manager('POST', '/folder/file/download', {
      ...folder,
      relpath: 'keys',
    });
    valkey.signal('SIGSTOP');
    let isAnswered = false;
    const needsIt = server
      .manager('POST', '/folder/file/upload', { ...folder, relpath: 'slow', size: 1 })
      .finally(() => {
        isAnswered = true;
      });
    try {
      const answers = await Promise.all([
        ...Array.from({ length: 20 }, () => server.manager('POST', '/folder/file/list', list)),
        server.manager('GET', '/volumes'),
        server.manager('GET', '/health'),
        server.manager('POST', '/folder/file/download', { ...folder, relpath: 'keys' }),
        send('GET', `${server.clientUrl}/download?token=${String(json['token'])}`),
      ]);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      // Which has a minute's time: all the others did not wait for the same.
      expect(isAnswered).toBe(false);
    } finally {
      valkey.signal('SIGCONT');
    }
    expect((await needsIt).status).toBe(200);
  });
});

interface Row {
  readonly service_group: string;
  readonly component_id: string;
  readonly is_healthy: boolean;
  readonly error_message: string | null;
}
