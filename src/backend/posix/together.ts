import type { TreeProgress, TreeTaskOptions } from '../contract/tree-task.js';

/**
 * Runs `count` parts of one operation side by side, to their results. When one fails the others are stopped, and the
 * first failure is thrown after all have ended. Progress is that of all of them.
 */
export async function together<Result>(
  count: number,
  { signal, onProgress }: TreeTaskOptions,
  start: (index: number, options: TreeTaskOptions) => Promise<Result>,
): Promise<Result[]> {
  const failed = new AbortController();
  const signals = [failed.signal, ...(signal ? [signal] : [])];
  const progress: TreeProgress[] = [];
  const parts = Array.from({ length: count }, async (_, index) => {
    try {
      return await start(index, {
        signal: AbortSignal.any(signals),
        ...(onProgress && {
          onProgress: (part) => {
            progress[index] = { ...part };
            onProgress(sumOf(progress));
          },
        }),
      });
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(parts);
  failed.signal.throwIfAborted();
  return await Promise.all(parts);
}

function sumOf(parts: readonly TreeProgress[]): TreeProgress {
  // Parts that have not told of themselves yet are holes, which reduce passes over.
  return parts.reduce(
    (sum, { entries, bytes }) => ({ entries: sum.entries + entries, bytes: sum.bytes + bytes }),
    { entries: 0, bytes: 0 },
  );
}
