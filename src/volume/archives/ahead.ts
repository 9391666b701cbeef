/**
 * Runs `start` on the items of each group, up to `width` before their results are asked for, and yields the results in
 * order. `start` may answer without a promise: results that are at hand come together, as many as there are in a group,
 * since a turn of an asynchronous loop costs more than some of them. When the consumer leaves, or an item fails, what was
 * started is awaited first and then dropped.
 */
export async function* aheadInGroups<Item, Result>(
  groups: AsyncIterable<Iterable<Item>>,
  width: number,
  start: (item: Item) => Result | Promise<Result>,
): AsyncGenerator<readonly Result[]> {
  const started: (Result | Promise<Result>)[] = [];
  try {
    for await (const group of groups) {
      let atHand: Result[] = [];
      for (const item of group) {
        const result = start(item);
        // Met in order below; until then a failure must not count as unhandled.
        if (result instanceof Promise) result.catch(() => undefined);
        started.push(result);
        while (started.length > 0) {
          const first = started[0]!;
          if (!(first instanceof Promise)) {
            atHand.push(first);
            void started.shift();
            continue;
          }
          if (started.length < width) break;
          if (atHand.length > 0) yield atHand;
          atHand = [];
          yield [await first];
          void started.shift();
        }
      }
      if (atHand.length > 0) yield atHand;
    }
    for (const result of started) yield [await result];
  } finally {
    await Promise.allSettled(started);
  }
}

/** The same for items that come one by one. */
export async function* ahead<Item, Result>(
  items: AsyncIterable<Item>,
  width: number,
  start: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  for await (const results of aheadInGroups(alone(items), width, start)) yield* results;
}

async function* alone<Item>(items: AsyncIterable<Item>): AsyncGenerator<[Item]> {
  for await (const item of items) yield [item];
}
