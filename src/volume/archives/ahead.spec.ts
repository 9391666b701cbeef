import { aheadInGroups } from './ahead.js';

async function* groupsOf<Item>(...groups: Item[][]): AsyncGenerator<Item[]> {
  yield* groups;
}

async function collect<Result>(
  results: AsyncIterable<readonly Result[]>,
): Promise<(readonly Result[])[]> {
  const groups: (readonly Result[])[] = [];
  for await (const group of results) groups.push(group);
  return groups;
}

describe('aheadInGroups', () => {
  const promisedIfOdd = (item: number): number | Promise<number> =>
    item % 2 === 0 ? item : Promise.resolve(item);

  it.each([1, 2, 5, 100])('keeps the order, whatever is at hand, with width %d', async (width) => {
    const items = [2, 4, 1, 6, 3, 5, 8, 10, 7, 12];
    const groups = await collect(
      aheadInGroups(groupsOf(items.slice(0, 4), [], items.slice(4)), width, promisedIfOdd),
    );
    expect(groups.flat()).toEqual(items);
  });

  it('yields together what is at hand', async () => {
    const groups = await collect(aheadInGroups(groupsOf([2, 4, 6], [8]), 2, promisedIfOdd));
    expect(groups).toEqual([[2, 4, 6], [8]]);
  });

  it('starts no more than its width before a result has been taken', async () => {
    let started = 0;
    const start = async (item: number): Promise<number> => {
      started += 1;
      return item;
    };
    const results = aheadInGroups(groupsOf([1, 2, 3, 4, 5, 6, 7]), 3, start);
    await results.next();
    expect(started).toBe(3);
    await results.next();
    expect(started).toBe(4);
    await results.return(undefined);
  });

  it('waits for what it started before it fails', async () => {
    let running = 0;
    const start = async (item: number): Promise<number> => {
      running += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (item > 1) await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (item === 1) throw new Error('first');
      return item;
    };
    await expect(collect(aheadInGroups(groupsOf([1, 2, 3]), 3, start))).rejects.toThrow('first');
    expect(running).toBe(0);
  });
});
