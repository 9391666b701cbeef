import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestServer } from '../support/server.js';

const FILES = 3_000;
const hex = (uuid: string): string => uuid.replaceAll('-', '');

/** Live children of the primary. */
function workersOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children.split(' ').filter(Boolean).map(Number);
}

describe('jobs of a proxy with several workers', () => {
  let server: TestServer;
  const scope = `user:${randomUUID()}`;

  beforeAll(async () => {
    server = await TestServer.start({ config: { 'storage-proxy': { 'num-proc': 2 } } });
  }, 120_000);
  afterAll(() => server.stop(), 60_000);

  const pathOf = (vfid: string): string => {
    const folder = vfid.split('/')[1]!;
    const prefix = [folder.slice(0, 2), folder.slice(2, 4), folder.slice(4)];
    return path.join(server.volumePath(), hex(scope.split(':')[1]!), ...prefix);
  };
  async function folder(files: number): Promise<string> {
    const vfid = `${scope}/${hex(randomUUID())}`;
    const made = await server.manager('POST', '/folder/create', { volume: 'local', vfid });
    expect(made.status).toBe(204);
    mkdirSync(path.join(pathOf(vfid), 'below'));
    for (let f = 0; f < files; f++) writeFileSync(path.join(pathOf(vfid), `below/${f}`), `${f}`);
    return vfid;
  }
  const job = async (id: string) => (await server.manager('GET', `/jobs/${id}`)).json;
  const ended = async (id: string) => {
    let seen: Awaited<ReturnType<typeof job>> = {};
    // A worker that has not opened the volume yet knows of no job, and so of no end.
    const hasEnded = async (): Promise<boolean> => {
      seen = await job(id);
      return typeof seen['ended_at'] === 'string';
    };
    await server.until('the job to end', hasEnded, 60_000);
    return seen;
  };

  it('answers for a job on every connection, and streams its events to the end', async () => {
    const vfid = await folder(100);
    const deleted = await server.manager('POST', '/folder/delete', { volume: 'local', vfid });
    expect(deleted.status).toBe(202);
    const id = deleted.json['bgtask_id'] as string;
    const answers = await Promise.all(Array.from({ length: 8 }, () => job(id)));
    expect(answers.every((answer) => answer['vfid'] === vfid)).toBe(true);
    const events = await server.manager('GET', `/jobs/${id}/events`);
    expect(events.headers['content-type']).toContain('text/event-stream');
    const last = events.text
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('data:'));
    expect(JSON.parse(last!.slice('data:'.length))).toMatchObject({ id, state: 'done' });
    const cancelled = await server.manager('DELETE', `/jobs/${id}`);
    expect(cancelled.status).toBe(409);
  }, 60_000);

  it('takes up the jobs of workers that are killed, and ends them (B3)', async () => {
    const source = await folder(FILES);
    const destination = `${scope}/${hex(randomUUID())}`;
    const cloned = await server.manager('POST', '/folder/clone', {
      src_volume: 'local',
      src_vfid: source,
      dst_volume: 'local',
      dst_vfid: destination,
    });
    expect(cloned.status).toBe(200);
    for (const worker of workersOf(server.pid)) {
      process.kill(worker, 'SIGKILL');
      await sleep(200);
    }
    await server.ready();
    const id = cloned.json['bgtask_id'] as string;
    expect(await ended(id)).toMatchObject({ state: 'done', error: null });
    expect(await fs.readdir(path.join(pathOf(destination), 'below'))).toHaveLength(FILES);
  }, 120_000);

  it('stops cleanly in the middle, and goes on at the next start (B1)', async () => {
    const vfid = await folder(FILES);
    const deleted = await server.manager('POST', '/folder/delete', { volume: 'local', vfid });
    const id = deleted.json['bgtask_id'] as string;
    server.signal('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0 });
    await server.launch();
    expect(await ended(id)).toMatchObject({ state: 'done', error: null });
    const trash = path.join(path.dirname(path.dirname(path.dirname(pathOf(vfid)))), '.trash');
    expect(await fs.readdir(trash)).toEqual([]);
  }, 120_000);
});
