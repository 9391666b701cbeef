import fs from 'node:fs';
import path from 'node:path';
import type { QuotaStatus } from '../../backend/contract/quota-model.js';
import { Errno } from '../../native/errno.js';
import { injectFaults } from '../../native/ffi.js';
import { QuotaScopeId } from '../ids/quota-scope-id.js';
import { VFolderId, type VFolderRef } from '../ids/vfolder-id.js';
import { PlainQuota, SCOPED, UNSCOPED } from '../testing/domain-rig.js';
import { eventually, JobRig, untilEnd, type JobWorker } from './testing/job-rig.js';

const TARGET_SCOPE = QuotaScopeId.parse('project:aaaaaaaa-0b0a-4090-8070-605040302010');
const TARGET: VFolderRef = {
  volume: 'local',
  id: VFolderId.of(TARGET_SCOPE, 'bbbbbbbb5b4a43929190807060504030'),
};

class ScopeQuota extends PlainQuota {
  override readonly enforcesScopes = true;
  limitBytes: number | null = null;
  readonly made: (number | null)[] = [];

  override async initialiseScope(_: Buffer, limitBytes: number | null): Promise<void> {
    this.made.push(limitBytes);
    await Promise.resolve();
  }

  override async describeScope(): Promise<QuotaStatus> {
    return await Promise.resolve({ usedBytes: 0, limitBytes: this.limitBytes });
  }
}

describe('VFolderCloning', () => {
  let rig: JobRig;
  let worker: JobWorker;
  let quota: ScopeQuota;
  let source: string;
  beforeEach(async () => {
    quota = new ScopeQuota();
    rig = new JobRig({}, quota);
    worker = await rig.worker();
    await worker.vfolders.create(SCOPED);
    source = rig.domain.hostPath(SCOPED);
    fs.mkdirSync(path.join(source, 'a'));
    fs.writeFileSync(path.join(source, 'a/file'), 'content');
    fs.symlinkSync('/etc/passwd', path.join(source, 'link'));
    quota.made.length = 0;
  });
  afterEach(async () => {
    injectFaults(undefined);
    await worker.jobs.drain(1_000);
    rig.remove();
  });

  const target = (): string => rig.domain.hostPath(TARGET);
  const staging = (): string[] =>
    fs.readdirSync(path.join(rig.domain.path, TARGET_SCOPE.pathname, '.staging'));
  const clone = (): Promise<string | null> => worker.cloning.clone(SCOPED, TARGET);

  it('asks for the room that the folder needs, wherever its .upload leads', async () => {
    const neighbour = `${source.slice(0, -28)}${'0'.repeat(28)}`;
    fs.mkdirSync(neighbour);
    fs.writeFileSync(path.join(neighbour, 'secret'), Buffer.alloc(100_000));
    fs.symlinkSync(`../${'0'.repeat(28)}`, path.join(source, '.upload'));
    fs.writeFileSync(path.join(source, 'large'), Buffer.alloc(50_000));
    quota.limitBytes = 20_000;
    const job = await untilEnd(worker, await clone());
    expect(job).toMatchObject({ state: 'failed', error: { code: 'QUOTA_EXCEEDED' } });
  });

  it('makes the scope without a limit, also where folders may not make one', async () => {
    (rig.domain.settings as { autoCreateQuotaScope: boolean }).autoCreateQuotaScope = false;
    const id = await clone();
    expect(await untilEnd(worker, id)).toMatchObject({ state: 'done' });
    expect(quota.made).toEqual([null]);
    expect(fs.readFileSync(path.join(target(), 'a/file'), 'utf8')).toBe('content');
  });

  it('copies links as links, and leaves unfinished uploads out (S8)', async () => {
    fs.mkdirSync(path.join(source, '.upload'));
    fs.writeFileSync(path.join(source, '.upload/session'), 'half');
    const job = await untilEnd(worker, await clone());
    expect(fs.readlinkSync(path.join(target(), 'link'))).toBe('/etc/passwd');
    expect(fs.readdirSync(target()).toSorted()).toEqual(['a', 'link']);
    expect(job.progress.totalEntries).toBe(3);
  });

  it.each([
    ['the quota', 'QUOTA_EXCEEDED', (): void => void (quota.limitBytes = 1)],
    [
      'the volume',
      'NO_SPACE',
      (): void => {
        const { telemetry } = worker.volume.strategies;
        telemetry.capacity = async () => ({ capacityBytes: 10, usedBytes: 10 });
      },
    ],
  ])('fails before it copies when %s has too little room', async (_, code, fill) => {
    fill();
    const id = await clone();
    const job = await untilEnd(worker, id);
    expect(job).toMatchObject({ state: 'failed', error: { code } });
    expect(fs.existsSync(target())).toBe(false);
    expect(staging()).toEqual([]);
    expect(rig.publisher.of(id)).toEqual(['cloneFailed', 'jobFailed']);
  });

  it('fails, and keeps what is there, when the destination gets filled meanwhile', async () => {
    injectFaults((syscall) => {
      if (syscall !== 'renameat2' || !fs.existsSync(path.dirname(target()))) return undefined;
      fs.mkdirSync(target(), { recursive: true });
      fs.writeFileSync(path.join(target(), 'theirs'), '');
      return undefined;
    });
    const job = await untilEnd(worker, await clone());
    expect(job).toMatchObject({ state: 'failed', error: { code: 'ALREADY_EXISTS' } });
    expect(fs.readdirSync(target())).toEqual(['theirs']);
    expect(staging()).toEqual([]);
  });

  it('may be asked for again after it failed', async () => {
    quota.limitBytes = 1;
    const first = await clone();
    await untilEnd(worker, first);
    quota.limitBytes = null;
    const second = await clone();
    expect(second).not.toBe(first);
    expect(await untilEnd(worker, second)).toMatchObject({ state: 'done' });
  });

  it('keeps its destination reserved until it is on record that it failed', async () => {
    const directory = path.join(rig.domain.path, '.storage-proxy/jobs');
    const seen = new Set<string>();
    injectFaults(() => {
      const names = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
      const record = names.find((name) => /^[^.].*\.json$/.test(name));
      if (record === undefined) return undefined;
      const text = fs.readFileSync(path.join(directory, record), 'utf8');
      const { state } = JSON.parse(text) as { state: string };
      const isReserved = names.some((name) => name.startsWith('clone.'));
      seen.add(`${state} and ${isReserved ? 'reserved' : 'free'}`);
      return undefined;
    });
    quota.limitBytes = 1;
    await untilEnd(worker, await clone());
    expect(seen).toContain('running and reserved');
    expect(seen).not.toContain('running and free');
  });

  it('finds the job of an equal request, and refuses another to the same destination', async () => {
    const id = await clone();
    expect(await clone()).toBe(id);
    await worker.vfolders.create(UNSCOPED);
    fs.writeFileSync(rig.domain.hostPath(UNSCOPED, 'other'), '');
    const other = worker.cloning.clone(UNSCOPED, TARGET);
    await expect(other).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await untilEnd(worker, id);
    expect(await clone()).toBe(id);
    expect((await worker.jobs.list()).map((job) => job.id)).toEqual([id]);
  });

  it('is made anew when its destination was deleted in between', async () => {
    const first = await clone();
    await untilEnd(worker, first);
    await untilEnd(worker, await worker.deletion.delete(TARGET));
    const second = await clone();
    expect(second).not.toBe(first);
    expect(await untilEnd(worker, second)).toMatchObject({ state: 'done' });
  });

  it('is done when a crash fell between the rename and its record (B2)', async () => {
    const id = (await clone())!;
    await untilEnd(worker, id);
    const record = (await worker.store.read(id))!;
    const cut = { ...record, state: 'running', endedAt: null, published: false } as const;
    await worker.store.save(cut, { durable: true });
    rig.publisher.told.length = 0;
    const next = await rig.worker();
    next.jobs.start();
    await eventually(() => rig.publisher.told.length === 2);
    expect(rig.publisher.of(id)).toEqual(['cloneSucceeded', 'jobDone']);
    expect(fs.existsSync(path.join(target(), 'a/file'))).toBe(true);
    await next.jobs.drain(1_000);
  });

  it('goes on from what an attempt before has copied', async () => {
    let failures = 0;
    const isPlacing = (): boolean => fs.existsSync(path.dirname(target()));
    injectFaults((syscall) =>
      syscall === 'renameat2' && isPlacing() && failures++ === 0 ? Errno.EIO : undefined,
    );
    const job = await untilEnd(worker, await clone());
    expect(job).toMatchObject({ state: 'done', attempts: 2, error: null });
    expect(fs.readFileSync(path.join(target(), 'a/file'), 'utf8')).toBe('content');
  });

  it('refuses a clone of a vfolder to itself, and between noop and a volume', async () => {
    await expect(worker.cloning.clone(SCOPED, SCOPED)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const noop = { ...TARGET, volume: 'noop' };
    await expect(worker.cloning.clone(SCOPED, noop)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const id = await worker.cloning.clone({ ...SCOPED, volume: 'noop' }, noop);
    expect(await untilEnd(worker, id)).toMatchObject({ state: 'done' });
  });

  it('has no room for its record: the request fails', async () => {
    injectFaults((syscall) => (syscall === 'writev' ? Errno.ENOSPC : undefined));
    await expect(clone()).rejects.toMatchObject({ code: 'NO_SPACE' });
    injectFaults(undefined);
    expect(await worker.jobs.list()).toEqual([]);
  });

  describe('to an unscoped id', () => {
    it('fills what is missing, and keeps what was there', async () => {
      await worker.vfolders.create(UNSCOPED);
      const filled = rig.domain.hostPath(UNSCOPED);
      fs.writeFileSync(path.join(filled, 'mine'), '');
      expect(await worker.cloning.clone(SCOPED, UNSCOPED)).toBeNull();
      expect(fs.readdirSync(filled).toSorted()).toEqual(['a', 'link', 'mine']);
    });

    it('makes the vfolder when it is missing', async () => {
      expect(await worker.cloning.clone(SCOPED, UNSCOPED)).toBeNull();
      expect(fs.existsSync(rig.domain.hostPath(UNSCOPED, 'a/file'))).toBe(true);
      expect(await worker.cloning.clone(SCOPED, UNSCOPED)).toBeNull();
    });

    it('fails the request when it does not fit', async () => {
      const { telemetry } = worker.volume.strategies;
      telemetry.capacity = async () => ({ capacityBytes: 10, usedBytes: 10 });
      await expect(worker.cloning.clone(SCOPED, UNSCOPED)).rejects.toMatchObject({
        code: 'NO_SPACE',
      });
    });

    it('is not gone on with after a crash, since nobody waits for it', async () => {
      await worker.cloning.clone(SCOPED, UNSCOPED);
      const [job] = await worker.jobs.list();
      const record = (await worker.store.read(job!.id))!;
      fs.rmSync(rig.domain.hostPath(UNSCOPED), { recursive: true });
      await worker.store.save({ ...record, state: 'running', published: false }, { durable: true });
      const next = await rig.worker();
      next.jobs.start();
      await eventually(async () => (await next.store.read(job!.id))?.published === true);
      await eventually(async () => (await next.jobs.get(job!.id)).state === 'failed');
      expect(fs.existsSync(rig.domain.hostPath(UNSCOPED))).toBe(false);
      await next.jobs.drain(1_000);
    });
  });
});
