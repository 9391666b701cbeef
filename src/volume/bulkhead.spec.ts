import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { StorageError } from '../errors/storage-error.js';
import { Bulkhead } from './bulkhead.js';

interface Latch {
  readonly work: () => Promise<string>;
  open(): void;
}

function latch(value = 'done'): Latch {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { work: () => opened.then(() => value), open };
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('Bulkhead', () => {
  it('refuses an operation with the name of the volume when its share stays exhausted (B11)', async () => {
    const bulkhead = new Bulkhead('vol', 2, { patienceMs: 10 });
    void bulkhead.io(never);
    void bulkhead.io(never);
    const refused = await bulkhead.run('file.list', never, 1000).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'UNAVAILABLE', details: { volume: 'vol' } });
    expect((refused as StorageError).message).toContain('"vol"');
    expect(bulkhead.gauges).toEqual({ limit: 2, inFlight: 2, waiting: 0, refused: 1 });
  });

  it('lets an operation wait for a moment before it refuses', async () => {
    const bulkhead = new Bulkhead('vol', 1, { patienceMs: 1000 });
    const holder = latch();
    const held = bulkhead.io(holder.work);
    const waiting = bulkhead.run('x', async () => 'ran', 1000);
    holder.open();
    await expect(waiting).resolves.toBe('ran');
    await held;
    expect(bulkhead.gauges.inFlight).toBe(0);
  });

  it('keeps the slot of an operation past its deadline until the work has ended', async () => {
    const bulkhead = new Bulkhead('vol', 1, { patienceMs: 5 });
    const slow = latch();
    await expect(bulkhead.run('x', slow.work, 10)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(bulkhead.gauges.inFlight).toBe(1);
    await expect(bulkhead.run('y', async () => 1, 10)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    slow.open();
    await turn();
    expect(bulkhead.gauges.inFlight).toBe(0);
    await expect(bulkhead.run('y', async () => 1, 10)).resolves.toBe(1);
  });

  it('swallows the late failure of work that was given up', async () => {
    const bulkhead = new Bulkhead('vol', 1);
    const late = sleep(20).then(() => {
      throw new Error('late');
    });
    await expect(bulkhead.run('x', () => late, 5)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await sleep(30);
    expect(bulkhead.gauges.inFlight).toBe(0);
  });

  it('gives slots to transfers in order of arrival, never more than there are', async () => {
    const bulkhead = new Bulkhead('vol', 2);
    const order: number[] = [];
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        bulkhead.io(async () => {
          most = Math.max(most, bulkhead.gauges.inFlight);
          order.push(index);
          await turn();
        }),
      ),
    );
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(most).toBe(2);
  });

  it('lets operations and transfers take turns when both wait', async () => {
    const bulkhead = new Bulkhead('vol', 1);
    const order: string[] = [];
    const note = (what: string) => async (): Promise<void> => {
      order.push(what);
    };
    const holder = latch();
    const all = [bulkhead.io(holder.work)];
    for (const n of [1, 2, 3]) all.push(bulkhead.io(note(`t${n}`)) as never);
    for (const n of [1, 2]) all.push(bulkhead.run('x', note(`o${n}`), 1000) as never);
    holder.open();
    await Promise.all(all);
    expect(order).toEqual(['o1', 't1', 'o2', 't2', 't3']);
  });

  it('forgets a transfer that is aborted while it waits', async () => {
    const bulkhead = new Bulkhead('vol', 1);
    const holder = latch();
    const held = bulkhead.io(holder.work);
    const abort = new AbortController();
    const waiting = bulkhead.io(never, abort.signal);
    abort.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await expect(bulkhead.io(never, abort.signal)).rejects.toThrow('gone');
    holder.open();
    await held;
    expect(bulkhead.gauges).toMatchObject({ inFlight: 0, waiting: 0 });
  });

  it('drains, or stops waiting at the deadline', async () => {
    const bulkhead = new Bulkhead('vol', 2);
    const holder = latch();
    const held = bulkhead.io(holder.work);
    await bulkhead.drain(5);
    expect(bulkhead.gauges.inFlight).toBe(1);
    const drained = bulkhead.drain(5000);
    holder.open();
    await drained;
    await held;
    await bulkhead.drain(5000);
  });
});
