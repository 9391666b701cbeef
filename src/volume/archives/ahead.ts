/**
 * Runs `start` on up to `width` items before their results are asked for, and yields the results in order.
 * When the consumer leaves, or an item fails, what was started is awaited first and then dropped.
 */
export async function* ahead<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  width: number,
  start: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const started: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const result = start(item);
      // Met in order below; until then a failure must not count as unhandled.
      result.catch(() => undefined);
      started.push(result);
      if (started.length >= width) yield await started.shift()!;
    }
    while (started.length > 0) yield await started.shift()!;
  } finally {
    await Promise.allSettled(started);
  }
}
