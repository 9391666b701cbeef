import { randomUUID } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Valkey } from '../../src/cluster/valkey/valkey.js';
import { built } from '../support/built.js';
import { hex, newScope, newVFolderId, vfolderPath } from '../support/ids.js';
import type { Redis } from 'iovalkey';
import { ManagerEvents, receivedBroadcast, streamEntries } from '../support/manager-events.js';
import { TestServer } from '../support/server.js';
import { describeWith, VALKEY, ValkeyServer } from '../support/valkey-server.js';

const DB = 4;

describeWith(VALKEY)('events', () => {
  let valkey: ValkeyServer;
  let server: TestServer;

  beforeAll(async () => {
    valkey = await ValkeyServer.start({ isDurable: true });
    server = await TestServer.start({ config: { valkey: { addr: valkey.address } } });
  });

  afterAll(async () => {
    await stopManagers();
    await server?.stop();
    await valkey?.remove();
  });

  /** Those of a test that failed would take events from the next one's. */
  const managers: ManagerEvents[] = [];
  const startManager = async (): Promise<ManagerEvents> => {
    const manager = await new ManagerEvents(valkey).start();
    managers.push(manager);
    return manager;
  };
  const stopManagers = async (): Promise<void> => {
    await Promise.all(managers.splice(0).map((manager) => manager.stop()));
  };

  const outbox = (): string[] => {
    const directory = join(server.volumePath(), '.storage-proxy/outbox');
    try {
      return readdirSync(directory).filter((name) => name.endsWith('.json'));
    } catch {
      return [];
    }
  };
  const emptyOutbox = (): Promise<void> =>
    server.until('the outbox to be empty', () => outbox().length === 0);

  async function folder(vfid = newVFolderId('scoped')): Promise<string> {
    const create = { volume: 'local', vfid };
    expect((await server.manager('POST', '/folder/create', create)).status).toBe(204);
    return vfid;
  }

  async function remove(vfid: string): Promise<string> {
    const answer = await server.manager('POST', '/folder/delete', { volume: 'local', vfid });
    expect(answer.status).toBe(202);
    return String(answer.json['bgtask_id']);
  }

  async function clone(source: string, destination: string): Promise<string> {
    const answer = await server.manager('POST', '/folder/clone', {
      src_volume: 'local',
      src_vfid: source,
      dst_volume: null,
      dst_vfid: destination,
    });
    expect(answer.status).toBe(200);
    return String(answer.json['bgtask_id']);
  }

  const cached = (job: string): Promise<string | null> => valkey.client(DB).get(`bgtask.${job}`);
  async function untilCached(job: string, name: string): Promise<string> {
    let text: string | null = null;
    await server.until(`${name} of ${job}`, async () => {
      text = await cached(job);
      return text !== null && receivedBroadcast(text).name === name;
    });
    return text!;
  }

  describe('with a manager', () => {
    let manager: ManagerEvents;
    let subscriber: Redis;
    const heard: string[] = [];

    beforeAll(async () => {
      manager = await startManager();
      subscriber = valkey.client(DB).duplicate();
      await subscriber.subscribe('events_all');
      subscriber.on('message', (_channel, text: string) => heard.push(text));
    });

    afterAll(async () => {
      subscriber.disconnect();
      await manager.stop();
    });

    it('tells of a deletion in both encodings, byte for byte', async () => {
      const vfid = await folder(
        'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030',
      );
      await remove(vfid);
      const [event] = await manager.until(vfid);
      // The worked example of the protocol.
      expect([...event!.fields.keys()]).toEqual(['name', 'source', 'payload', 'args']);
      expect(event!.fields.get('name')!.toString()).toBe('vfolder_deletion_success');
      expect(event!.fields.get('source')!.toString()).toBe('storage');
      expect(event!.fields.get('payload')!.toString()).toBe(
        '{"vfid":"user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030"}',
      );
      const text = Buffer.from(vfid);
      expect(text).toHaveLength(74);
      expect(event!.fields.get('args')).toEqual(Buffer.concat([Buffer.of(0x91, 0xd9, 0x4a), text]));
      await emptyOutbox();
      expect(manager.about(vfid)).toHaveLength(1);
    });

    it('tells watchers of a job when it starts and ends, and those who come later', async () => {
      const job = await remove(await folder());
      const text = await untilCached(job, 'bgtask_done');
      // It is cached first, and told on another connection.
      await server.until('watchers to hear it', () => heard.includes(text));
      const done = receivedBroadcast(text);
      expect([...done.fields.keys()]).toEqual(['name', 'source', 'payload', 'args']);
      expect(done).toMatchObject({
        source: 'storage',
        payload: { task_id: job, message: 'Task completed successfully' },
        args: [job, 'Task completed successfully'],
      });
      expect(await valkey.client(DB).ttl(`bgtask.${job}`)).toBeGreaterThan(290);

      const events = heard
        .map(receivedBroadcast)
        .filter(({ payload }) => payload['task_id'] === job);
      expect(events.map(({ name }) => name)).toEqual(['bgtask_updated', 'bgtask_done']);
      const [started] = events;
      expect(started!.payload).toEqual({
        task_id: job,
        current_progress: 0,
        total_progress: 0,
        message: 'Task started',
      });
      expect(started!.args).toEqual([job, 0, 0, 'Task started']);
      // Progress is written as floats.
      expect(started!.fields.get('args')!.subarray(39, 48)).toEqual(
        Buffer.from('cb0000000000000000', 'hex'),
      );
    });

    it('tells of a clone', async () => {
      const source = await folder();
      writeFileSync(join(server.volumePath(), vfolderPath(source), 'file'), 'content');
      const destination = newVFolderId('scoped');
      const job = await clone(source, destination);
      const [event] = await manager.until(destination);
      expect(event).toMatchObject({
        name: 'vfolder_clone_success',
        payload: { vfid: source, dst_vfid: destination },
        args: [source, destination],
      });
      await untilCached(job, 'bgtask_done');
    });

    it('tells of the deletion of a folder without a scope', async () => {
      const vfid = await folder(newVFolderId('bare'));
      const answer = await server.manager('POST', '/folder/delete', { volume: 'local', vfid });
      expect(answer.status).toBe(204);
      const [event] = await manager.until(hex(vfid));
      expect(event).toMatchObject({
        name: 'vfolder_deletion_success',
        payload: { vfid: hex(vfid) },
        args: [hex(vfid)],
      });
    });

    it('keeps the stream short', async () => {
      const filler = valkey.client(DB);
      for (let index = 0; index < 400; index++) {
        await filler.xadd('events', '*', 'payload', '{}', 'args', Buffer.of(0x90));
      }
      const vfid = await folder();
      await remove(vfid);
      await manager.until(vfid);
      await emptyOutbox();
      // Trimming is approximate: by whole nodes of 100 entries.
      expect(await filler.xlen('events')).toBeLessThan(300);
    });
  });

  describe('without a manager', () => {
    beforeEach(stopManagers);

    it('tells a manager that comes later, in order, and once', async () => {
      const before = valkey.client(DB);
      await emptyOutbox();
      await before.flushdb();
      const source = await folder();
      const copy = newVFolderId('scoped');
      await untilCached(await clone(source, copy), 'bgtask_done');
      await untilCached(await remove(copy), 'bgtask_done');
      // Already in the stream, for whoever looks.
      const posted = await streamEntries(valkey);
      expect(posted.map(({ name }) => name)).toEqual([
        'vfolder_clone_success',
        'vfolder_deletion_success',
      ]);

      const manager = await startManager();
      await manager.until(copy, 2);
      await emptyOutbox();
      expect(manager.about(copy).map(({ name }) => name)).toEqual([
        'vfolder_clone_success',
        'vfolder_deletion_success',
      ]);
      await manager.stop();
    });

    it('tells again what was trimmed before a manager could read it', async () => {
      await (await startManager()).stop();
      const vfid = await folder();
      await untilCached(await remove(vfid), 'bgtask_done');
      const other = valkey.client(DB);
      for (let index = 0; index < 300; index++) {
        await other.xadd('events', 'MAXLEN', 128, '*', 'payload', '{}', 'args', Buffer.of(0x90));
      }
      const manager = await startManager();
      await manager.until(vfid);
      await emptyOutbox();
      await manager.stop();
    });
  });

  it('publishes what ended while Valkey was down, also after a crash of the proxy', async () => {
    await stopManagers();
    const manager = await startManager();
    await valkey.kill();
    const scope = newScope();
    const first = await folder(newVFolderId('scoped', scope));
    const second = await folder(newVFolderId('scoped', scope));
    await remove(first);
    await server.until('the deletion to be noted', () => outbox().length >= 2);
    server.signal('SIGKILL');
    await server.ended();
    expect(outbox().length).toBeGreaterThanOrEqual(2);

    await server.launch();
    // Requests that do not need Valkey are served as always.
    await remove(second);
    await server.until('both to be noted', () => outbox().length >= 4);
    const health = await server.manager('GET', '/health');
    expect(health.json['status']).toBe('degraded');
    await valkey.start();
    await server.until('the first to be told', () => manager.about(first).length > 0);
    await manager.until(second);
    await emptyOutbox();
    expect(manager.about(first)).toHaveLength(1);
    expect(manager.about(second)).toHaveLength(1);
    await manager.stop();
  });

  it('are added again once, however many find at the same time that one was lost', async () => {
    const { EventWire } = await built<typeof import('../../src/cluster/events/event-wire.js')>(
      'cluster/events/event-wire.js',
    );
    const run: Valkey['run'] = (_role, work) => work(valkey.client(DB));
    const wire = new EventWire({ run } as Valkey);
    const vfid = newVFolderId('scoped');
    const event = {
      name: 'vfolder_deletion_success',
      kind: 'anycast',
      members: [['vfid', vfid]],
      job: randomUUID(),
      folders: [],
    } as const;
    const { id } = await wire.post(event);
    const answers = await Promise.all([1, 2, 3].map(() => wire.post(event, { insteadOf: id })));
    const [again] = answers;
    expect(again!.id).not.toBe(id);
    expect(answers.map((answer) => answer.id)).toEqual([again!.id, again!.id, again!.id]);
    expect((await wire.post(event)).id).toBe(again!.id);
    const about = (await streamEntries(valkey)).filter(({ payload }) => payload['vfid'] === vfid);
    expect(about).toHaveLength(2);
  });
});
