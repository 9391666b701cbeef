import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '../../src/volume/jobs/job.js';
import {
  VolumeHost,
  type CallError,
  type Folder,
  type PublishedEvent,
} from '../support/volume-host.js';

const DIRECTORIES = 25;
const FILES_EACH = 100;
const KILLS = 4;

const hex = (uuid: string): string => uuid.replaceAll('-', '');
/** Anywhere from before the first entry to after the last. */
const anyMoment = (): Promise<void> => sleep(Math.random() * 400);

async function countEntries(directory: string): Promise<number> {
  const entries = await fs.readdir(directory, { recursive: true }).catch(() => []);
  return entries.length;
}

describe('jobs of a process that is killed again and again', () => {
  let base: string;
  let host: VolumeHost;
  const scope = `user:${randomUUID()}`;
  const told: PublishedEvent[] = [];

  const scopePath = (): string => path.join(base, hex(scope.split(':')[1]!));
  const pathOf = ({ vfid }: Folder): string => {
    const folder = vfid.split('/')[1]!;
    return path.join(scopePath(), folder.slice(0, 2), folder.slice(2, 4), folder.slice(4));
  };
  const newFolder = (): Folder => ({ volume: 'one', vfid: `${scope}/${hex(randomUUID())}` });
  const start = (): Promise<VolumeHost> => VolumeHost.start({ volumes: { one: base } });

  async function kill(): Promise<void> {
    await host.kill();
    told.push(...host.events);
    host = await start();
  }

  async function largeFolder(): Promise<Folder> {
    const folder = newFolder();
    await host.call('create', folder);
    for (let d = 0; d < DIRECTORIES; d++) {
      const directory = path.join(pathOf(folder), `directory-${d}`);
      mkdirSync(directory);
      for (let f = 0; f < FILES_EACH; f++) {
        const file = path.join(directory, `file-${f}`);
        writeFileSync(file, file);
      }
    }
    return folder;
  }

  const ALL = DIRECTORIES * (FILES_EACH + 1);

  beforeAll(async () => {
    base = await fs.mkdtemp(path.join(os.tmpdir(), 'jobs-crash-'));
    host = await start();
  }, 60_000);

  afterAll(async () => {
    await host.kill();
    await fs.rm(base, { recursive: true, force: true });
  }, 60_000);

  it('has a clone whole or not at all, and leaves its source alone', async () => {
    const source = await largeFolder();
    const destination = newFolder();
    const id = (await host.clone(source, destination))!;
    for (let kills = 0; kills < KILLS; kills++) {
      await anyMoment();
      await kill();
      expect([0, ALL]).toContain(await countEntries(pathOf(destination)));
    }
    const job = await host.ended(id);
    expect(job).toMatchObject({ state: 'done', error: null });
    expect(await countEntries(pathOf(destination))).toBe(ALL);
    expect(await countEntries(pathOf(source))).toBe(ALL);
    const sample = 'directory-7/file-77';
    expect(await fs.readFile(path.join(pathOf(destination), sample), 'utf8')).toBe(
      path.join(pathOf(source), sample),
    );
    expect(await fs.readdir(path.join(scopePath(), '.staging'))).toEqual([]);
    told.push(...host.events);
    expect(told.some(({ event, job }) => event === 'cloneSucceeded' && job.id === id)).toBe(true);
    expect(told.some(({ event }) => event === 'cloneFailed')).toBe(false);
  }, 120_000);

  it('has a deleted vfolder gone at once, and swept in the end', async () => {
    const folder = await largeFolder();
    const id = (await host.delete(folder))!;
    for (let kills = 0; kills < KILLS; kills++) {
      await anyMoment();
      await kill();
      expect(await countEntries(pathOf(folder))).toBe(0);
    }
    expect(await host.ended(id)).toMatchObject({ state: 'done' });
    expect(await fs.readdir(path.join(scopePath(), '.trash'))).toEqual([]);
    told.push(...host.events);
    expect(told.some(({ event, job }) => event === 'vfolderDeleted' && job.id === id)).toBe(true);
  }, 120_000);

  it('deletes files to the end', async () => {
    const folder = await largeFolder();
    const paths = Array.from({ length: DIRECTORIES - 1 }, (_, d) => `directory-${d}`);
    const id = await host.call<string>('deleteAsync', folder, paths, true);
    for (let kills = 0; kills < KILLS; kills++) {
      await anyMoment();
      await kill();
    }
    expect(await host.ended(id)).toMatchObject({ state: 'done' });
    expect(await fs.readdir(pathOf(folder))).toEqual([`directory-${DIRECTORIES - 1}`]);
  }, 120_000);

  it('brings up a deletion whose record is lost, by the trash alone', async () => {
    const folder = await largeFolder();
    const id = (await host.delete(folder))!;
    await host.kill();
    await fs.rm(path.join(base, '.storage-proxy'), { recursive: true, force: true });
    host = await start();
    expect(await host.ended(id)).toMatchObject({ state: 'done', vfolder: folder.vfid });
    expect(host.named('vfolderDeleted').map(({ job }) => job.id)).toEqual([id]);
  }, 60_000);

  it('has a job taken over by another worker when its own dies', async () => {
    const folder = await largeFolder();
    const other = await start();
    const id = (await host.delete(folder))!;
    await host.kill();
    await other.call('workerDied');
    expect(await other.ended(id)).toMatchObject({ state: 'done' });
    expect(other.named('vfolderDeleted').map(({ job }) => job.id)).toEqual([id]);
    host = other;
  }, 60_000);

  it('pauses at the stop and goes on at the next start, telling nobody', async () => {
    const source = await largeFolder();
    const destination = newFolder();
    const id = (await host.clone(source, destination))!;
    await anyMoment();
    const stopped = host;
    await stopped.call('drain', 10_000);
    const { state } = await stopped.get(id);
    expect(['pending', 'done']).toContain(state);
    await stopped.kill();
    host = await start();
    expect(await host.ended(id)).toMatchObject({ state: 'done' });
    expect(await countEntries(pathOf(destination))).toBe(ALL);
    const ends = [...stopped.events, ...host.events].filter(({ event }) =>
      event.startsWith('clone'),
    );
    expect(ends.map(({ event }) => event)).toEqual(['cloneSucceeded']);
  }, 60_000);

  it('cancels a clone from another worker: staging removed, failure and cancellation told', async () => {
    const source = await largeFolder();
    const destination = newFolder();
    const other = await start();
    const id = (await host.clone(source, destination))!;
    const job = await other.call<Job>('cancel', id).catch((error: CallError) => error.code);
    // It may have been quicker than the cancellation.
    if (job !== 'IN_PROGRESS') {
      expect(await host.ended(id)).toMatchObject({ state: 'cancelled' });
      expect(await countEntries(pathOf(destination))).toBe(0);
      expect(await fs.readdir(path.join(scopePath(), '.staging'))).toEqual([]);
      const events = [...host.events, ...other.events].filter((event) => event.job.id === id);
      const ends = events.map(({ event }) => event).filter((event) => event !== 'jobUpdated');
      expect(ends).toEqual(['cloneFailed', 'jobCancelled']);
      await expect(other.call('cancel', id)).resolves.toMatchObject({ state: 'cancelled' });
    }
    await other.kill();
  }, 60_000);

  it('removes the staging of a clone whose record is lost', async () => {
    const source = await largeFolder();
    await host.clone(source, newFolder());
    const staging = path.join(scopePath(), '.staging');
    while ((await fs.readdir(staging)).length === 0) await sleep(5);
    await host.kill();
    await fs.rm(path.join(base, '.storage-proxy'), { recursive: true, force: true });
    host = await start();
    while ((await fs.readdir(staging)).length > 0) await sleep(50);
  }, 60_000);
});
