import { Errno, SystemError } from '../../native/errno.js';
import { BATCHES_IN_FLIGHT, SharedTask, type FromWorker, type TreeOrder } from './tree-protocol.js';
import { TreeScheduler } from './tree-scheduler.js';
import type { Walk } from './walk.js';

const ORDER: TreeOrder = { kind: 'usage', path: Buffer.alloc(0), omit: [] };

describe('TreeScheduler', () => {
  const sent: FromWorker[] = [];
  const walks: Walk<unknown>[] = [];
  const scheduler = new TreeScheduler(
    (_, pace) =>
      (function* () {
        pace.count(7);
        return yield* walks.shift()!;
      })(),
    (message) => sent.push(message),
  );
  let nextId = 1;

  function start(walk: Walk<unknown>): { id: number; shared: SharedTask } {
    const shared = new SharedTask();
    const id = nextId++;
    walks.push(walk);
    scheduler.receive({ type: 'start', id, order: ORDER, shared: shared.buffer });
    return { id, shared };
  }

  const typesOf = (id: number): string[] =>
    sent.filter((message) => message.id === id).map(({ type }) => type);

  beforeEach(() => sent.splice(0));

  it('gives a short task its turn while a long one runs', () => {
    const long = start(endless());
    const short = start(result('done'));
    scheduler.turn();
    expect(sent).toEqual([{ type: 'done', id: short.id, result: 'done' }]);
    long.shared.cancel();
    scheduler.turn();
    expect(typesOf(long.id)).toEqual(['cancelled']);
    expect(scheduler.isIdle).toBe(true);
  });

  it('puts a task aside that has sent its share of batches, until one was used', () => {
    const { id, shared } = start(endless(new Uint8Array(1)));
    while (scheduler.turn());
    expect(typesOf(id)).toHaveLength(BATCHES_IN_FLIGHT);
    scheduler.receive({ type: 'credit', id });
    while (scheduler.turn());
    expect(typesOf(id)).toHaveLength(BATCHES_IN_FLIGHT + 1);
    shared.cancel();
    scheduler.receive({ type: 'cancel', id });
    while (scheduler.turn());
    expect(typesOf(id).at(-1)).toBe('cancelled');
  });

  it('lets a cancelled task clean up before it says so', () => {
    let isClean = false;
    const { id, shared } = start(
      (function* () {
        try {
          for (;;) yield undefined;
        } finally {
          isClean = true;
        }
      })(),
    );
    scheduler.turn();
    shared.cancel();
    scheduler.turn();
    expect(isClean).toBe(true);
    expect(typesOf(id)).toEqual(['cancelled']);
  });

  it('does not begin a task that was cancelled before its turn', () => {
    const { id, shared } = start(failing(new Error('began')));
    walks.splice(0);
    shared.cancel();
    scheduler.turn();
    expect(typesOf(id)).toEqual(['cancelled']);
  });

  it('publishes progress after each slice', () => {
    const { shared } = start(result(undefined));
    scheduler.turn();
    expect(shared.read()).toEqual({ entries: 1, bytes: 7 });
  });

  it('tells of failures: errno and call of a system call, text of anything else', () => {
    const system = start(failing(new SystemError(Errno.EIO, 'statx')));
    const other = start(failing(new TypeError('a defect')));
    scheduler.turn();
    expect(sent).toContainEqual({
      type: 'failed',
      id: system.id,
      failure: { errno: Errno.EIO, syscall: 'statx' },
    });
    expect(sent).toContainEqual({
      type: 'failed',
      id: other.id,
      failure: expect.objectContaining({ message: 'a defect' }) as unknown,
    });
  });
});

function* endless(batch?: Uint8Array): Walk<never> {
  for (;;) yield batch;
}

function* result(value: unknown): Walk<unknown> {
  yield undefined;
  return value;
}

function* failing(error: Error): Walk<never> {
  yield undefined;
  throw error;
}
