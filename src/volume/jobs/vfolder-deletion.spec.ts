import fs from 'node:fs';
import path from 'node:path';
import { Errno } from '../../native/errno.js';
import { injectFaults } from '../../native/ffi.js';
import { SCOPE, SCOPED, UNSCOPED } from '../testing/domain-rig.js';
import { newJobId } from './job.js';
import { newRecord } from './job-record.js';
import { eventually, JobRig, untilEnd, type JobWorker } from './testing/job-rig.js';

describe('VFolderDeletion', () => {
  let rig: JobRig;
  let worker: JobWorker;
  beforeEach(async () => {
    rig = new JobRig();
    worker = await rig.worker();
  });
  afterEach(async () => {
    injectFaults(undefined);
    await worker.jobs.drain(1_000);
    rig.remove();
  });

  const below = (...names: string[]): string => path.join(rig.domain.path, ...names);
  const trash = (): string[] => fs.readdirSync(below(SCOPE.pathname, '.trash'));
  async function fill(ref = SCOPED): Promise<string> {
    await worker.vfolders.create(ref);
    const vfolder = rig.domain.hostPath(ref);
    fs.mkdirSync(path.join(vfolder, 'a/b'), { recursive: true });
    fs.writeFileSync(path.join(vfolder, 'a/b/file'), 'content');
    return vfolder;
  }

  it('needs no room: a deletion in a full volume writes nothing', async () => {
    await fill();
    injectFaults((syscall) =>
      ['mkdirat', 'writev', 'symlinkat', 'linkat'].includes(syscall) ? Errno.ENOSPC : undefined,
    );
    const id = await worker.deletion.delete(SCOPED);
    expect(await untilEnd(worker, id)).toMatchObject({ state: 'done' });
    expect(trash()).toEqual([]);
    expect(fs.existsSync(below('.storage-proxy/jobs'))).toBe(false);
    expect(rig.publisher.of(id)).toEqual(['vfolderDeleted', 'jobDone']);
  });

  it('is tried again until it succeeds, and never told as failed', async () => {
    await fill();
    let failures = 0;
    injectFaults((syscall) => (syscall === 'unlinkat' && failures++ === 0 ? Errno.EIO : undefined));
    const id = await worker.deletion.delete(SCOPED);
    const job = await untilEnd(worker, id);
    expect(job).toMatchObject({ state: 'done', error: null });
    expect(job.attempts).toBeGreaterThan(1);
    expect(rig.publisher.of(id)).toEqual(['vfolderDeleted', 'jobDone']);
  });

  it('gives a repeated request the job of the first while that runs', async () => {
    await fill();
    rig.publisher.failing = true;
    const id = await worker.deletion.delete(SCOPED);
    await eventually(async () => (await worker.jobs.get(id!)).state === 'done');
    expect(await worker.deletion.delete(SCOPED)).toBe(id);
    expect(await (await rig.worker()).deletion.delete(SCOPED)).toBe(id);
  });

  it('keeps the emptied directory until its end was told, and tells it after a crash', async () => {
    await fill();
    rig.publisher.failing = true;
    const id = await worker.deletion.delete(SCOPED);
    await eventually(async () => (await worker.jobs.get(id!)).state === 'done');
    expect(trash()).toHaveLength(1);
    await worker.jobs.drain(1_000);

    rig.publisher.failing = false;
    fs.rmSync(below('.storage-proxy'), { recursive: true });
    const next = await rig.worker();
    next.jobs.start();
    await eventually(() => trash().length === 0);
    expect(rig.publisher.of(id)).toEqual(['vfolderDeleted', 'jobDone']);
    await next.jobs.drain(1_000);
  });

  it('tells at the next start what was ended and not told', async () => {
    const id = await worker.deletion.delete(SCOPED);
    await untilEnd(worker, id);
    const record = (await worker.store.read(id!))!;
    await worker.store.save({ ...record, published: false }, { durable: true });
    rig.publisher.told.length = 0;
    const next = await rig.worker();
    next.jobs.start();
    await eventually(() => rig.publisher.told.length === 2);
    expect(rig.publisher.of(id)).toEqual(['vfolderDeleted', 'jobDone']);
    await next.jobs.drain(1_000);
  });

  it('is a job as good as any when it has to be done in place', async () => {
    const vfolder = await fill();
    injectFaults((syscall) => (syscall === 'renameat2' ? Errno.EXDEV : undefined));
    // The record cannot be renamed into place either: the answer waits for the end.
    const id = await worker.deletion.delete(SCOPED);
    expect(fs.existsSync(vfolder)).toBe(false);
    expect(await worker.jobs.get(id!)).toMatchObject({ state: 'done' });
    expect(rig.publisher.of(id)).toEqual(['vfolderDeleted', 'jobDone']);
  });

  it('leaves a new vfolder alone that was made where an old one was deleted in place', async () => {
    const vfolder = await fill();
    const record = newRecord({
      id: newJobId(),
      volume: 'local',
      vfolder: SCOPED.id.toString(),
      manifest: { kind: 'delete_vfolder', place: 'in-place', inode: { dev: '1', ino: '1' } },
    });
    await worker.store.save(record, { durable: true });
    expect(await worker.runner.complete(worker.tasks.of(record))).toMatchObject({ state: 'done' });
    expect(fs.existsSync(path.join(vfolder, 'a/b/file'))).toBe(true);
  });

  it('removes a link in the place of a vfolder, and not what it leads to', async () => {
    const vfolder = await fill();
    fs.renameSync(vfolder, below('elsewhere'));
    fs.symlinkSync(below('elsewhere'), vfolder);
    await untilEnd(worker, await worker.deletion.delete(SCOPED));
    expect(fs.lstatSync(vfolder, { throwIfNoEntry: false })).toBeUndefined();
    expect(fs.existsSync(below('elsewhere/a/b/file'))).toBe(true);
    expect(trash()).toEqual([]);
  });

  it('answers for an unscoped id after the sweep, and needs no job for a missing one', async () => {
    const vfolder = await fill(UNSCOPED);
    expect(await worker.deletion.delete(UNSCOPED)).toBeNull();
    expect(fs.existsSync(vfolder)).toBe(false);
    expect(fs.readdirSync(below('.trash'))).toEqual([]);
    expect(rig.publisher.told.map(([event]) => event)).toEqual(['vfolderDeleted', 'jobDone']);
    const jobs = await worker.jobs.list();
    expect(await worker.deletion.delete(UNSCOPED)).toBeNull();
    expect(await worker.jobs.list()).toHaveLength(jobs.length);
  });

  it('tells whoever waits that it cannot be done now, and goes on trying', async () => {
    await fill(UNSCOPED);
    let failures = 0;
    injectFaults((syscall) => (syscall === 'unlinkat' && failures++ === 0 ? Errno.EIO : undefined));
    await expect(worker.deletion.delete(UNSCOPED)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await eventually(() => fs.readdirSync(below('.trash')).length === 0);
  });

  it('is swept by one of two workers that both know of it', async () => {
    await fill();
    const other = await rig.worker();
    const id = await worker.deletion.delete(SCOPED);
    other.jobs.start();
    expect(await untilEnd(other, id)).toMatchObject({ state: 'done' });
    await eventually(() => !worker.runner.has(id!) && !other.runner.has(id!));
    expect(rig.publisher.of(id)).toEqual(['vfolderDeleted', 'jobDone']);
    await other.jobs.drain(1_000);
  });
});
