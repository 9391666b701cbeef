import { StorageError } from '../../errors/storage-error.js';
import { SCOPED, UNSCOPED } from '../testing/domain-rig.js';
import { newJobId } from './job.js';
import { NO_LOCK, type LockOutcome } from './job-lock.js';
import { newRecord, type CloneVFolderManifest, type JobRecord } from './job-record.js';
import { JobTask, type JobAttempt } from './job-task.js';
import { eventually, JobRig, untilEnd, type JobWorker } from './testing/job-rig.js';

type Work = (attempt: JobAttempt<CloneVFolderManifest>) => Promise<void>;

/** A clone that does what the spec says, under the lock of a real record. */
class ScriptedTask extends JobTask<CloneVFolderManifest> {
  readonly isCancellable = true;
  readonly isJournaled = true;
  readonly calls: string[] = [];

  constructor(
    worker: JobWorker,
    record: JobRecord<CloneVFolderManifest>,
    private readonly work: Work,
    private readonly lockOutcome?: LockOutcome,
    private readonly undoing: () => Promise<void> = async () => undefined,
  ) {
    super(worker.volume, record);
  }

  async lock(): Promise<LockOutcome> {
    return this.lockOutcome ?? (await this.store.lock(this.record));
  }

  async run(attempt: JobAttempt<CloneVFolderManifest>): Promise<void> {
    this.calls.push('run');
    await this.work(attempt);
  }

  override async undo(): Promise<void> {
    this.calls.push('undo');
    await this.undoing();
  }

  override async finish(): Promise<void> {
    this.calls.push('finish');
    await Promise.resolve();
  }

  isWorthRetrying(error: StorageError): boolean {
    return error.code === 'UNAVAILABLE';
  }
}

const untilAborted: Work = ({ signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

const JOBS = {
  retentionMs: 86_400_000,
  concurrency: 2,
  heartbeatMs: 10_000,
  expiredAfterMs: 45_000,
};

describe('JobRunner', () => {
  let rig: JobRig;
  let worker: JobWorker;
  beforeEach(async () => {
    rig = new JobRig();
    worker = await rig.worker();
  });
  afterEach(() => rig.remove());

  async function task(
    work: Work,
    lock?: LockOutcome,
    undoing?: () => Promise<void>,
  ): Promise<ScriptedTask> {
    const record = newRecord<CloneVFolderManifest>({
      id: newJobId(),
      volume: 'local',
      vfolder: SCOPED.id.toString(),
      source: { volume: 'local', vfolder: SCOPED.id.toString() },
      manifest: { kind: 'clone_vfolder', staging: null },
    });
    await worker.store.save(record, { durable: true });
    return new ScriptedTask(worker, record, work, lock, undoing);
  }

  it('records what becomes of a job, and tells its end once, before the journal goes', async () => {
    const scripted = await task(async (attempt) => {
      attempt.advance({ entries: 3, bytes: 30 });
      await attempt.checkpoint({ staging: { dev: '1', ino: '2' } });
      expect(await worker.store.read(attempt.record.id)).toMatchObject({
        state: 'running',
        owner: { node: 'here' },
        manifest: { staging: { dev: '1', ino: '2' } },
      });
    });
    const { id } = scripted.record;
    await worker.runner.complete(scripted);
    expect(rig.publisher.told).toEqual([
      ['cloneSucceeded', id, 'done'],
      ['jobDone', id, 'done', 'Task completed successfully'],
    ]);
    expect(scripted.calls).toEqual(['run', 'finish']);
    expect(await worker.store.read(id)).toMatchObject({
      state: 'done',
      published: true,
      attempts: 1,
      owner: null,
      progress: { entries: 3, bytes: 30 },
    });
  });

  it('tries again what may pass, tells whoever waits of the first failure, and ends', async () => {
    let attempts = 0;
    const scripted = await task(async () => {
      attempts += 1;
      if (attempts === 1) throw new StorageError('UNAVAILABLE', 'the array sleeps');
      await Promise.resolve();
    });
    const { id } = scripted.record;
    await expect(worker.runner.complete(scripted)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const waiting = await worker.jobs.get(id);
    expect(waiting).toMatchObject({ state: 'pending', error: { message: 'the array sleeps' } });
    expect((await worker.store.read(id))?.retryAt).toBeInstanceOf(Date);
    expect(await untilEnd(worker, id)).toMatchObject({ state: 'done', attempts: 2, error: null });
    expect(rig.publisher.of(id)).toEqual(['cloneSucceeded', 'jobDone']);
  });

  it('ends what cannot succeed: undone first, then told; a defect without its text', async () => {
    const scripted = await task(async () => {
      throw new TypeError('secret of /mnt/host');
    });
    const { id } = scripted.record;
    worker.runner.submit(scripted);
    const job = await untilEnd(worker, id);
    expect(job).toMatchObject({ state: 'failed', error: { code: 'INTERNAL' } });
    expect(job.error?.message).not.toContain('/mnt');
    expect(scripted.calls).toEqual(['run', 'undo', 'finish']);
    expect(rig.publisher.of(id)).toEqual(['cloneFailed', 'jobFailed']);
  });

  it('tells the end later, without doing the work again, when nobody could be told', async () => {
    rig.publisher.failing = true;
    const scripted = await task(async () => undefined);
    const { id } = scripted.record;
    worker.runner.submit(scripted);
    await eventually(async () => (await worker.store.read(id))?.state === 'done');
    expect(await worker.store.read(id)).toMatchObject({ published: false });
    expect(scripted.calls).toEqual(['run']);
    rig.publisher.failing = false;
    await eventually(() => scripted.calls.includes('finish'));
    expect(scripted.calls).toEqual(['run', 'finish']);
    expect(await worker.store.read(id)).toMatchObject({ published: true });
    expect(rig.publisher.of(id)).toEqual(['cloneSucceeded', 'jobDone']);
  });

  it('tells no end again that somebody else has told since it was read', async () => {
    const scripted = await task(async () => undefined);
    const { id } = scripted.record;
    await worker.runner.complete(scripted);
    const stored = await worker.store.read(id);
    const stale = { ...stored, published: false } as JobRecord<CloneVFolderManifest>;
    await worker.runner.complete(new ScriptedTask(worker, stale, untilAborted));
    expect(rig.publisher.of(id)).toEqual(['cloneSucceeded', 'jobDone']);
  });

  it('does not end a job that is told to nobody because nobody listens', async () => {
    rig.publisher.failing = true;
    const { id } = (await task(async () => undefined)).record;
    const stored = (await worker.store.read(id)) as JobRecord<CloneVFolderManifest>;
    const unscoped = { ...stored, vfolder: UNSCOPED.id.toString() };
    await worker.store.save(unscoped, { durable: true });
    const scripted = new ScriptedTask(worker, unscoped, async () => undefined);
    await worker.runner.complete(scripted);
    expect(scripted.calls).toEqual(['run', 'finish']);
  });

  it('cancels a running job, from another worker too', async () => {
    const other = await rig.worker();
    const scripted = await task(untilAborted);
    const { id } = scripted.record;
    worker.runner.submit(scripted);
    await eventually(() => worker.runner.find(id)?.state === 'running');
    expect(await other.jobs.cancel(id)).toMatchObject({ state: 'cancelled' });
    expect(scripted.calls).toEqual(['run', 'undo', 'finish']);
    expect(rig.publisher.of(id)).toEqual(['cloneFailed', 'jobCancelled']);
    await expect(other.jobs.cancel(id)).resolves.toMatchObject({ state: 'cancelled' });
  });

  it('cancels a job that waits without running it', async () => {
    const blockers = await Promise.all([task(untilAborted), task(untilAborted)]);
    for (const blocker of blockers) worker.runner.submit(blocker);
    const waiting = await task(async () => undefined);
    worker.runner.submit(waiting);
    await eventually(() => blockers.every(({ calls }) => calls.length > 0));
    expect(waiting.calls).toEqual([]);
    expect(await worker.jobs.cancel(waiting.record.id)).toMatchObject({ state: 'cancelled' });
    expect(waiting.calls).toEqual(['undo', 'finish']);
    await worker.jobs.drain(1_000);
  });

  it('runs a bounded number at a time', async () => {
    let running = 0;
    let most = 0;
    const jobs = await Promise.all(
      Array.from({ length: 6 }, () =>
        task(async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, 20));
          running -= 1;
        }),
      ),
    );
    await Promise.all(jobs.map((job) => worker.runner.complete(job)));
    expect(most).toBe(2);
  });

  it('pauses at the stop: nothing is told, and the next process runs it (B1)', async () => {
    const scripted = await task(untilAborted);
    const { id } = scripted.record;
    const waiter = worker.runner.complete(scripted).catch((error: unknown) => error);
    await eventually(() => worker.runner.find(id)?.state === 'running');
    await worker.jobs.drain(300);
    expect(await waiter).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await worker.store.read(id)).toMatchObject({ state: 'pending', owner: null });
    expect(rig.publisher.told).toEqual([]);

    const late = await task(async () => undefined);
    worker.runner.submit(late);
    await expect(worker.runner.complete(late)).rejects.toMatchObject({ code: 'UNAVAILABLE' });

    const next = await rig.worker();
    const again = new ScriptedTask(next, scripted.record, async () => undefined);
    await next.runner.complete(again);
    expect(await next.store.read(id)).toMatchObject({ state: 'done', attempts: 2 });
  });

  it('lets a job end at the stop that a request waits for', async () => {
    const scripted = await task(() => new Promise((resolve) => setTimeout(resolve, 100)));
    const answer = worker.runner.complete(scripted);
    await eventually(() => scripted.calls.length > 0);
    await worker.jobs.drain(5_000);
    expect(await answer).toMatchObject({ state: 'done' });
  });

  it('does not wait at the stop for what does not end', async () => {
    const stuck = await task(() => new Promise(() => undefined));
    worker.runner.submit(stuck);
    await eventually(() => stuck.calls.length > 0);
    await worker.jobs.drain(50);
  });

  it('leaves a job to the worker that holds its lock', async () => {
    const other = await rig.worker();
    const scripted = await task(untilAborted);
    worker.runner.submit(scripted);
    await eventually(() => scripted.calls.length > 0);
    const same = new ScriptedTask(other, scripted.record, async () => undefined);
    other.runner.submit(same);
    await eventually(() => !other.runner.has(scripted.record.id));
    expect(same.calls).toEqual([]);
    await worker.jobs.drain(1_000);
  });

  it('leaves a job to the host that has begun it, also where locks reach no other host', async () => {
    const there = await rig.worker({ nodeId: 'there' });
    const scripted = await task(untilAborted, NO_LOCK);
    worker.runner.submit(scripted);
    await eventually(() => scripted.calls.length > 0);
    // As it was seen while it waited.
    const late = new ScriptedTask(there, scripted.record, async () => undefined, NO_LOCK);
    there.runner.submit(late);
    await eventually(() => !there.runner.has(scripted.record.id));
    expect(late.calls).toEqual([]);
    await worker.jobs.drain(1_000);
  });

  it('stops when another host has taken the job over, and says nothing of it', async () => {
    const scripted = await task(async (attempt) => {
      const stored = (await worker.store.read(attempt.record.id))!;
      const owner = { node: 'there', pid: 1 };
      await worker.store.save({ ...stored, owner }, { durable: true });
      await attempt.assertOurs();
    }, NO_LOCK);
    worker.runner.submit(scripted);
    await eventually(() => !worker.runner.has(scripted.record.id));
    expect(scripted.calls).toEqual(['run']);
    expect(rig.publisher.told).toEqual([]);
  });

  it.each(['failed', 'cancelled'])(
    'gives signs of life while it undoes what has %s, and then says nothing if it was overtaken',
    async (how) => {
      const impatient = new JobRig({ jobs: { ...JOBS, heartbeatMs: 1 } });
      worker = await impatient.worker();
      const record = async (): Promise<JobRecord> => (await worker.store.read(id))!;
      let hasSigned = false;
      const scripted = await task(
        how === 'failed' ? () => Promise.reject(new Error('for good')) : untilAborted,
        NO_LOCK,
        async () => {
          const { updatedAt } = await record();
          await eventually(async () => (await record()).updatedAt > updatedAt);
          hasSigned = true;
          await worker.store.save({ ...(await record()), takeovers: 1 }, { durable: true });
        },
      );
      const { id } = scripted.record;
      worker.runner.submit(scripted);
      await eventually(() => scripted.calls.includes('run'));
      if (how === 'cancelled') {
        await worker.store.requestCancel(id);
        worker.runner.cancel(id);
      }
      await eventually(() => !worker.runner.has(id));
      expect(hasSigned).toBe(true);
      expect(scripted.calls).toEqual(['run', 'undo']);
      expect(impatient.publisher.told).toEqual([]);
      expect(await record()).toMatchObject({ state: 'running', takeovers: 1 });
      impatient.remove();
    },
  );

  it('runs nothing that it takes over before the other host can learn of it', async () => {
    const scripted = await task(async () => undefined);
    const record = {
      ...scripted.record,
      state: 'running',
      owner: { node: 'there', pid: 1 },
    } as const;
    await worker.store.save(record, { durable: true });
    const again = new ScriptedTask(worker, { ...record, takeovers: 1 }, async () => undefined);
    const save = again.store.save.bind(again.store);
    again.store.save = () => Promise.reject(new StorageError('NO_SPACE', 'it is full'));
    await expect(worker.runner.complete(again)).rejects.toMatchObject({ code: 'NO_SPACE' });
    expect(again.calls).toEqual([]);
    again.store.save = save;
    await eventually(() => !worker.runner.has(record.id));
    expect(again.calls).toEqual(['run', 'finish']);
    expect(await worker.store.read(record.id)).toMatchObject({ state: 'done', takeovers: 1 });
  });

  it('forgets a job whose record was removed', async () => {
    const scripted = await task(async () => undefined);
    await worker.store.remove(scripted.record.id);
    worker.runner.submit(scripted);
    await eventually(() => !worker.runner.has(scripted.record.id));
    expect(scripted.calls).toEqual([]);
  });

  it.each(['succeeds', 'fails'])(
    'says nothing when it %s after another host has ended the job',
    async (how) => {
      const scripted = await task(async ({ record }) => {
        // Stood still for long, in the middle of the work.
        const end = { state: 'done', published: true, owner: null, takeovers: 1 } as const;
        await worker.store.save({ ...record, ...end, endedAt: new Date() }, { durable: true });
        if (how === 'fails') throw new Error('what was to be copied is in place');
      });
      const { id } = scripted.record;
      worker.runner.submit(scripted);
      await eventually(() => scripted.calls.includes('run') && !worker.runner.has(id));
      expect(scripted.calls).toEqual(['run']);
      expect(rig.publisher.of(id)).toEqual([]);
      expect(await worker.store.read(id)).toMatchObject({ state: 'done', takeovers: 1 });
      // What it had on the way to the disk when it was stopped.
      const { record } = scripted;
      await worker.store.save({ ...record, state: 'running' }, { durable: true });
      expect(await worker.store.read(id)).toMatchObject({ state: 'done', takeovers: 1 });
      await worker.store.remove(id);
      expect(await worker.store.read(id)).toBeUndefined();
      expect(await worker.store.ids()).toEqual([]);
    },
  );

  it('tells nothing while it cannot find out whether another host has taken the job over', async () => {
    const { store } = worker;
    const scripted = await task(async () => {
      scripted.store.read = () => Promise.reject(new StorageError('UNAVAILABLE', 'it hangs'));
      throw new Error('what was to be copied is in place');
    });
    const { id } = scripted.record;
    await expect(worker.runner.complete(scripted)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(rig.publisher.of(id)).toEqual([]);
    expect(await store.read(id)).toMatchObject({ state: 'running' });
    await worker.jobs.drain(1_000);
  });
});
