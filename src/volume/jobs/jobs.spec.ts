import { randomUUID } from 'node:crypto';
import { SCOPED } from '../testing/domain-rig.js';
import { JobRig, untilEnd, type JobWorker } from './testing/job-rig.js';

describe('Jobs', () => {
  let rig: JobRig;
  let worker: JobWorker;
  beforeEach(async () => {
    rig = new JobRig();
    worker = await rig.worker();
    await worker.vfolders.create(SCOPED);
  });
  afterEach(async () => {
    await worker.jobs.drain(1_000);
    rig.remove();
  });

  it('does not say that there is no job while a volume that may have it is being opened', async () => {
    const id = (await worker.deletion.delete(SCOPED))!;
    await untilEnd(worker, id);
    const late = await rig.worker();
    const { state } = late.volume;
    late.volume.become({ kind: 'opening', reason: 'it takes its time' });
    for (const ask of [() => late.jobs.get(id), () => late.jobs.cancel(id)]) {
      await expect(ask()).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: 'volume "local" is unavailable',
        details: { subject: 'volume', volume: 'local' },
      });
    }
    late.volume.become(state);
    expect(await late.jobs.get(id)).toMatchObject({ id, state: 'done' });
    await expect(late.jobs.get(randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await late.jobs.drain(1_000);
  });

  it('does not wait for a volume that hangs, all of whose slots are taken', async () => {
    const { volume } = worker;
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const stuck = Array.from({ length: 64 }, () => volume.io(() => answered));
    volume.markHung('it does not answer');
    const refusal = { code: 'UNAVAILABLE', details: { subject: 'volume', volume: 'local' } };
    await expect(worker.jobs.get(randomUUID())).rejects.toMatchObject(refusal);
    volume.markHung(null);
    answer();
    await Promise.all(stuck);
  });
});
