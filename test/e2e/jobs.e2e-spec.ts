import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Job } from '../../src/volume/jobs/job.js';
import { VolumeHost, type Folder } from '../support/volume-host.js';

const hex = (uuid: string): string => uuid.replaceAll('-', '');

describe('jobs', () => {
  let base: string;
  let host: VolumeHost;
  const scope = `user:${randomUUID()}`;

  const pathOf = ({ volume, vfid }: Folder): string => {
    const [left = '', folder = hex(left)] = vfid.split('/');
    const scopeHex = vfid.includes('/') ? hex(left.split(':')[1]!) : '';
    return path.join(
      base,
      volume,
      scopeHex,
      folder.slice(0, 2),
      folder.slice(2, 4),
      folder.slice(4),
    );
  };
  const scopePath = (volume = 'one', id = scope): string =>
    path.join(base, volume, hex(id.split(':')[1]!));
  const scoped = (volume = 'one'): Folder => ({ volume, vfid: `${scope}/${hex(randomUUID())}` });
  const unscoped = (volume = 'one'): Folder => ({ volume, vfid: randomUUID() });

  async function fill(folder: Folder): Promise<void> {
    await host.call('create', folder);
    const root = pathOf(folder);
    await fs.mkdir(path.join(root, 'a/b'), { recursive: true });
    await fs.writeFile(path.join(root, 'a/b/file'), 'content');
    await fs.writeFile(path.join(root, 'a/script'), '#!/bin/sh', { mode: 0o755 });
    await fs.symlink('/etc/passwd', path.join(root, 'leads-out'));
    await fs.symlink('nowhere', path.join(root, 'dangling'));
    await fs.mkdir(path.join(root, '.upload'));
    await fs.writeFile(path.join(root, '.upload/session'), 'half');
  }

  const names = async (directory: string): Promise<string[]> =>
    (await fs.readdir(directory).catch(() => [] as string[])).toSorted((a, b) => (a < b ? -1 : 1));

  beforeAll(async () => {
    base = await fs.mkdtemp(path.join(os.tmpdir(), 'jobs-'));
    await fs.mkdir(path.join(base, 'one'));
    await fs.mkdir(path.join(base, 'two'));
    host = await VolumeHost.start({
      volumes: { one: path.join(base, 'one'), two: path.join(base, 'two') },
    });
  });

  afterAll(async () => {
    await host.kill();
    await fs.rm(base, { recursive: true, force: true });
  });

  describe('deleting a vfolder', () => {
    it('takes it away at once, sweeps it, and tells', async () => {
      const folder = scoped();
      await fill(folder);
      const id = (await host.delete(folder))!;
      await expect(fs.stat(pathOf(folder))).rejects.toThrow('ENOENT');
      const job = await host.ended(id);
      expect(job).toMatchObject({
        id,
        kind: 'delete_vfolder',
        state: 'done',
        vfolder: folder.vfid,
      });
      expect(await names(path.join(scopePath(), '.trash'))).toEqual([]);
      await expect(fs.stat(path.dirname(path.dirname(pathOf(folder))))).rejects.toThrow('ENOENT');
      expect(host.named('vfolderDeleted').filter((told) => told.job.id === id)).toHaveLength(1);
    });

    it('succeeds for a vfolder, and a scope, that are not there', async () => {
      for (const vfid of [scoped().vfid, `project:${randomUUID()}/${hex(randomUUID())}`]) {
        const id = (await host.delete({ volume: 'one', vfid }))!;
        expect(await host.ended(id)).toMatchObject({ state: 'done' });
        expect(host.named('vfolderDeleted').some((told) => told.job.id === id)).toBe(true);
      }
    });

    it('answers for an unscoped id when everything is gone, the second time too', async () => {
      const folder = unscoped();
      await fill(folder);
      expect(await host.delete(folder)).toBeNull();
      await expect(fs.stat(pathOf(folder))).rejects.toThrow('ENOENT');
      expect(await names(path.join(base, 'one/.trash'))).toEqual([]);
      expect(await host.delete(folder)).toBeNull();
    });

    it('cannot be cancelled', async () => {
      const id = (await host.delete(scoped()))!;
      await expect(host.call('cancel', id)).rejects.toMatchObject({ code: 'IN_PROGRESS' });
    });

    it('does nothing on the noop volume', async () => {
      const id = (await host.delete({ ...scoped(), volume: 'noop' }))!;
      expect(await host.ended(id)).toMatchObject({ state: 'done', volume: 'noop' });
    });
  });

  describe('cloning a vfolder', () => {
    it.each(['one', 'two'])('makes a copy on volume %s with links as links', async (volume) => {
      const source = scoped();
      await fill(source);
      await fs.chmod(pathOf(source), 0o775);
      const destination = { volume, vfid: `project:${randomUUID()}/${hex(randomUUID())}` };
      const id = (await host.clone(source, destination))!;
      const job = await host.ended(id);
      expect(job).toMatchObject({ kind: 'clone_vfolder', state: 'done', error: null });
      expect(job.source).toEqual({ volume: 'one', vfolder: source.vfid });
      expect(job.progress.totalEntries).toBe(job.progress.entries);
      const copy = pathOf(destination);
      expect(await names(copy)).toEqual(['a', 'dangling', 'leads-out']);
      expect(await fs.readFile(path.join(copy, 'a/b/file'), 'utf8')).toBe('content');
      expect((await fs.stat(path.join(copy, 'a/script'))).mode & 0o777).toBe(0o755);
      expect((await fs.stat(copy)).mode & 0o777).toBe(0o775);
      expect(await fs.readlink(path.join(copy, 'leads-out'))).toBe('/etc/passwd');
      expect(
        await names(path.join(scopePath(volume, destination.vfid.split('/')[0]), '.staging')),
      ).toEqual([]);
      expect(host.named('cloneSucceeded').filter((told) => told.job.id === id)).toHaveLength(1);
    });

    it('gives a repeated request the job of the first', async () => {
      const source = scoped();
      await fill(source);
      const destination = scoped();
      const [first, second] = await Promise.all([
        host.clone(source, destination),
        host.clone(source, destination),
      ]);
      expect(second).toBe(first);
      await host.ended(first!);
      expect(await host.clone(source, destination)).toBe(first);
    });

    it('refuses a destination that is not empty, and replaces an empty one', async () => {
      const source = scoped();
      await fill(source);
      const full = scoped();
      await fill(full);
      await expect(host.clone(source, full)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
      const empty = scoped();
      await host.call('create', empty);
      const id = (await host.clone(source, empty))!;
      expect(await host.ended(id)).toMatchObject({ state: 'done' });
      expect(await names(pathOf(empty))).toContain('a');
    });

    it('refuses a source that is not there', async () => {
      await expect(host.clone(scoped(), scoped())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('fills an unscoped destination that may be there before it answers', async () => {
      const source = unscoped();
      await fill(source);
      const destination = unscoped('two');
      await host.call('create', destination);
      expect(await host.clone(source, destination)).toBeNull();
      expect(await names(pathOf(destination))).toEqual(['a', 'dangling', 'leads-out']);
      expect(await host.clone(source, destination)).toBeNull();
    });
  });

  describe('deleting files', () => {
    it('deletes what is named and nothing else', async () => {
      const folder = scoped();
      await fill(folder);
      const paths = ['a', 'leads-out', 'not-there'];
      const id = await host.call<string>('deleteAsync', folder, paths, true);
      expect(await host.ended(id)).toMatchObject({ kind: 'delete_files', state: 'done' });
      expect(await names(pathOf(folder))).toEqual(['.upload', 'dangling']);
      expect(await fs.readFile('/etc/passwd', 'utf8')).not.toBe('');
    });

    it('fails for a directory without recursive, and deletes nothing', async () => {
      const folder = scoped();
      await fill(folder);
      const id = await host.call<string>('deleteAsync', folder, ['dangling', 'a'], false);
      const job = await host.ended(id);
      expect(job).toMatchObject({ state: 'failed', error: { code: 'IS_A_DIRECTORY' } });
      expect(await names(pathOf(folder))).toContain('dangling');
      expect(host.named('jobFailed').some((told) => told.job.id === id)).toBe(true);
    });

    it('refuses the vfolder itself', async () => {
      const folder = scoped();
      await fill(folder);
      await expect(host.call('deleteAsync', folder, ['.'], true)).rejects.toMatchObject({
        code: 'OUTSIDE_VFOLDER',
      });
    });
  });

  it('lists jobs, newest first, and knows no others', async () => {
    const id = (await host.delete(scoped()))!;
    const jobs = await host.call<Job[]>('list');
    expect(jobs.map((job) => job.id)).toContain(id);
    const times = jobs.map(({ createdAt }) => new Date(createdAt).getTime());
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    await expect(host.get(randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(host.get('nonsense')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
