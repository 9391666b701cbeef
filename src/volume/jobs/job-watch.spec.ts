import { LocalWorkerBus } from '../worker-bus.js';
import type { Job } from './job.js';
import { JobFeed } from './job-feed.js';
import { jobOf, newRecord } from './job-record.js';
import { watchJob } from './job-watch.js';

const ID = '11111111-2222-4333-8444-555555555555';

describe('watching a job', () => {
  let at = 0;
  const job = (changes: Partial<Job> = {}): Job => ({
    ...jobOf(
      newRecord({
        id: ID,
        volume: 'local',
        vfolder: '9f8e7d6c-5b4a-4392-9190-807060504030',
        manifest: { kind: 'clone_vfolder', staging: null },
      }),
    ),
    updatedAt: new Date(++at),
    ...changes,
  });
  const progress = (entries: number) => ({ ...job().progress, entries });
  let feed: JobFeed;
  let bus: LocalWorkerBus;
  beforeEach(() => {
    bus = new LocalWorkerBus();
    feed = new JobFeed(bus);
  });

  it('shows the job, what changes, and its end last', async () => {
    const watched = watchJob(ID, { feed, find: async () => job() });
    const next = async (): Promise<unknown> => (await watched.next()).value;
    expect(await next()).toMatchObject({ state: 'pending' });
    feed.tell(job({ state: 'running' }));
    expect(await next()).toMatchObject({ state: 'running' });
    feed.tell(job({ state: 'running', progress: progress(5) }));
    expect(await next()).toMatchObject({ progress: { entries: 5 } });
    feed.tell(job({ state: 'done' }));
    expect(await next()).toMatchObject({ state: 'done' });
    expect(await watched.next()).toEqual({ done: true, value: undefined });
  });

  it('hears of jobs that other workers run', async () => {
    const other = new JobFeed(bus);
    const watched = watchJob(ID, { feed, find: async () => job() });
    await watched.next();
    other.tell(job({ state: 'cancelled' }));
    expect((await watched.next()).value).toMatchObject({ state: 'cancelled', id: ID });
  });

  it('finds out by itself what it was not told', async () => {
    const states: Job['state'][] = ['pending', 'pending', 'running', 'running', 'done'];
    const find = async (): Promise<Job> => job({ state: states.shift()! });
    const seen: string[] = [];
    for await (const { state } of watchJob(ID, { feed, find, pollMs: 1 })) seen.push(state);
    expect(seen).toEqual(['pending', 'running', 'done']);
  });

  it('skips what comes faster than it is taken, but never the end', async () => {
    const watched = watchJob(ID, { feed, find: async () => job() });
    await watched.next();
    for (let entries = 1; entries < 10; entries++) feed.tell(job({ progress: progress(entries) }));
    feed.tell(job({ state: 'failed' }));
    expect((await watched.next()).value).toMatchObject({ state: 'failed' });
  });

  it('ends when the job is forgotten, and when nobody watches any more', async () => {
    const found = [job()];
    const forgotten = watchJob(ID, { feed, find: async () => found.shift(), pollMs: 1 });
    await forgotten.next();
    expect((await forgotten.next()).done).toBe(true);

    const abort = new AbortController();
    const watched = watchJob(ID, { feed, find: async () => job(), signal: abort.signal });
    await watched.next();
    const waiting = watched.next();
    abort.abort();
    expect((await waiting).done).toBe(true);
  });

  it('is not confused by news that come late', async () => {
    const old = job({ state: 'running' });
    feed.tell(job({ state: 'done' }));
    feed.tell(old);
    expect(feed.heard(ID)).toMatchObject({ state: 'done' });
  });
});
