import fs from 'node:fs';
import path from 'node:path';
import { vfolderPath } from '../ids/layout.js';
import { VFolderId } from '../ids/vfolder-id.js';
import { SCOPE, SCOPED } from '../testing/domain-rig.js';
import { WORKER_DIED } from '../worker-bus.js';
import { newJobId } from './job.js';
import type { JobLock } from './job-lock.js';
import { inodeId, newRecord, type CloneVFolderManifest, type JobRecord } from './job-record.js';
import { eventually, JobRig, untilEnd, type JobWorker } from './testing/job-rig.js';

describe('recovery of jobs', () => {
  let rig: JobRig;
  let worker: JobWorker;
  const next: JobWorker[] = [];
  beforeEach(async () => {
    rig = new JobRig();
    worker = await rig.worker();
    await worker.vfolders.create(SCOPED);
    fs.writeFileSync(rig.domain.hostPath(SCOPED, 'file'), '');
  });
  afterEach(async () => {
    for (const started of [worker, ...next.splice(0)]) await started.jobs.drain(1_000);
    rig.remove();
  });

  async function startNext(nodeId = 'here'): Promise<JobWorker> {
    const started = await rig.worker({ nodeId });
    next.push(started);
    started.jobs.start();
    return started;
  }
  const clone = (changes: Partial<JobRecord> = {}): JobRecord => ({
    ...newRecord<CloneVFolderManifest>({
      id: newJobId(),
      volume: 'local',
      vfolder: `${SCOPE.toString()}/cccccccc5b4a43929190807060504030`,
      source: { volume: 'local', vfolder: SCOPED.id.toString() },
      manifest: { kind: 'clone_vfolder', staging: null },
    }),
    ...changes,
  });
  const save = (record: JobRecord): Promise<void> => worker.store.save(record, { durable: true });
  const beside = (name: string): string => path.join(rig.domain.path, SCOPE.pathname, name);
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

  it('forgets jobs that ended long ago, and what belonged to them', async () => {
    const longAgo = new Date(Date.now() - 25 * 3_600_000);
    const old = clone({ state: 'done', published: true, endedAt: longAgo });
    const recent = clone({ state: 'done', published: true, endedAt: new Date() });
    await Promise.all([save(old), save(recent)]);
    await startNext();
    await eventually(async () => (await worker.store.read(old.id)) === undefined);
    expect(await worker.store.read(recent.id)).toBeDefined();
  });

  it('runs a clone that was promised, and drops one that was not', async () => {
    const promised = clone();
    const cut = clone({ createdAt: new Date(Date.now() - 120_000) });
    await Promise.all([save(promised), save(cut)]);
    await worker.store.claimDestination(VFolderId.parse(promised.vfolder), promised.id);
    const started = await startNext();
    expect(await untilEnd(started, promised.id)).toMatchObject({ state: 'done' });
    await eventually(async () => (await worker.store.read(cut.id)) === undefined);
  });

  it('leaves a request in progress the time to promise its clone', async () => {
    const record = clone();
    await save(record);
    await startNext();
    await settle();
    expect(await worker.store.read(record.id)).toMatchObject({ state: 'pending' });
  });

  it('leaves jobs of another living host alone', async () => {
    const record = clone({ state: 'running', attempts: 1, owner: { node: 'there', pid: 1 } });
    await save(record);
    await startNext();
    await settle();
    expect(await worker.store.read(record.id)).toMatchObject({ state: 'running', attempts: 1 });
  });

  it('does not hurry a job that waits for its next attempt', async () => {
    const record = clone({ attempts: 1, retryAt: new Date(Date.now() + 60_000) });
    await save(record);
    await startNext();
    await settle();
    expect(await worker.store.read(record.id)).toMatchObject({ attempts: 1 });
  });

  it('removes staging that belongs to no job, or to one that has ended', async () => {
    const ended = clone({ state: 'failed', published: true, endedAt: new Date() });
    await save(ended);
    const discarded = `${ended.id}.discarded.0123456789abcdef`;
    for (const name of [newJobId(), ended.id, `${ended.id}.1`, discarded]) {
      fs.mkdirSync(beside(`.staging/${name}`));
      fs.writeFileSync(beside(`.staging/${name}/half`), '');
    }
    fs.mkdirSync(beside('.staging/not-ours'));
    await startNext();
    await eventually(() => fs.readdirSync(beside('.staging')).length === 1);
    expect(fs.readdirSync(beside('.staging'))).toEqual(['not-ours']);
  });

  it('sweeps siblings of the trash, and leaves names alone that are not its own', async () => {
    const job = newJobId();
    fs.mkdirSync(beside(`.trash-${job}.user.dddddddd5b4a43929190807060504030/deep/er`), {
      recursive: true,
    });
    fs.mkdirSync(beside('.trash-can'));
    fs.mkdirSync(beside('.trash/something'));
    await startNext();
    await eventually(() => rig.publisher.of(job).length === 2);
    expect(fs.existsSync(beside('.trash-can'))).toBe(true);
    expect(fs.readdirSync(beside('.trash'))).toEqual(['something']);
  });

  it('takes over from a worker that dies while it looks on', async () => {
    await startNext();
    await settle();
    const job = newJobId();
    fs.mkdirSync(beside(`.trash/${job}.user.dddddddd5b4a43929190807060504030`));
    rig.bus.publish(WORKER_DIED, null);
    await eventually(() => rig.publisher.of(job).length === 2);
  });

  it('answers for a deletion that only the trash knows of', async () => {
    const job = newJobId();
    fs.mkdirSync(beside(`.trash/${job}.project.dddddddd5b4a43929190807060504030`));
    const seen = await worker.jobs.get(job);
    expect(seen).toMatchObject({
      kind: 'delete_vfolder',
      state: 'pending',
      vfolder: `project:${SCOPE.uuid}/dddddddd5b4a43929190807060504030`,
    });
    expect((await worker.jobs.list()).map(({ id }) => id)).toContain(job);
  });

  describe('of a host that died', () => {
    const jobs = { retentionMs: 86_400_000, concurrency: 2, heartbeatMs: 20, expiredAfterMs: 300 };
    const running = { state: 'running', attempts: 1, owner: { node: 'there', pid: 1 } } as const;
    let others: JobRig;

    /** As a filesystem does that keeps the locks of a dead host. */
    async function takenOver(record: JobRecord): Promise<void> {
      const survivor = await others.worker();
      survivor.jobs.start();
      expect(await untilEnd(survivor, record.id)).toMatchObject({ state: 'done', attempts: 2 });
      await eventually(() => others.publisher.of(record.id).length === 2);
      await survivor.jobs.drain(1_000);
      const names = fs.readdirSync(path.join(others.domain.path, '.storage-proxy/jobs'));
      expect(names.filter((name) => name.endsWith('.lock'))).toEqual([]);
    }

    beforeEach(async () => {
      others = new JobRig({ jobs });
      const first = await others.worker({ nodeId: 'there' });
      await first.vfolders.create(SCOPED);
    });
    afterEach(() => others.remove());

    it('takes over a clone although its lock is still held', async () => {
      const record = clone(running);
      const dead = await others.worker({ nodeId: 'there' });
      await dead.store.save(record, { durable: true });
      await dead.store.claimDestination(VFolderId.parse(record.vfolder), record.id);
      const lock = (await dead.store.lock(record)) as JobLock;
      await takenOver(record);
      await lock.release();
    });

    it('leaves the half of a host that may only be slow out of its clone, also where that writes on', async () => {
      const record = clone(running);
      const slow = await others.worker({ nodeId: 'there' });
      await slow.store.save(record, { durable: true });
      await slow.store.claimDestination(VFolderId.parse(record.vfolder), record.id);
      fs.writeFileSync(others.domain.hostPath(SCOPED, 'file'), 'whole');
      const staging = path.join(others.domain.path, SCOPE.pathname, '.staging');
      fs.mkdirSync(path.join(staging, record.id), { recursive: true });
      // Its working directory, as it were: it follows the directory through renames.
      const half = fs.openSync(path.join(staging, record.id), 'r');
      const inode = fs.fstatSync(half).ino;
      fs.writeFileSync(path.join(staging, record.id, 'half'), '');
      await takenOver(record);
      const published = others.domain.hostPath({
        volume: 'local',
        id: VFolderId.parse(record.vfolder),
      });
      expect(fs.statSync(published).ino).not.toBe(inode);
      expect(fs.readdirSync(published)).toEqual(['file']);
      expect(fs.readdirSync(staging)).toEqual([]);
      fs.closeSync(half);
    });

    it('is done when the host that was only slow has placed its clone at the last moment', async () => {
      const vfolder = VFolderId.parse(clone().vfolder);
      const placed = others.domain.hostPath({ volume: 'local', id: vfolder });
      fs.mkdirSync(placed, { recursive: true });
      fs.writeFileSync(path.join(placed, 'placed'), '');
      const slow = await others.worker({ nodeId: 'there' });
      using root = await slow.volume.openRoot();
      const staging = inodeId(await root.lstat(vfolderPath(vfolder)));
      const record = { ...clone(running), manifest: { kind: 'clone_vfolder', staging } as const };
      await slow.store.save(record, { durable: true });
      await takenOver(record);
      expect(fs.readdirSync(placed)).toEqual(['placed']);
    });

    it('takes over a deletion although its lock is still held', async () => {
      const id = newJobId();
      const name = `.trash/${id}.user.dddddddd5b4a43929190807060504030`;
      const vfolder = `${SCOPE.toString()}/dddddddd5b4a43929190807060504030`;
      fs.mkdirSync(path.join(others.domain.path, SCOPE.pathname, name));
      const manifest = { kind: 'delete_vfolder', place: 'trash', inode: null } as const;
      const record = { ...newRecord({ id, volume: 'local', vfolder, manifest }), ...running };
      const dead = await others.worker({ nodeId: 'there' });
      await dead.store.save(record, { durable: true });
      const lock = (await dead.tasks.of(record).lock()) as JobLock;
      await takenOver(record);
      await lock.release();
    });
  });
});
