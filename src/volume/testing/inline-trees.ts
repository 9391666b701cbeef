import { PosixTrees } from '../../backend/posix/posix-trees.js';
import type { TreePool } from '../../backend/posix/tree-pool.js';
import type { TreeOrder } from '../../backend/posix/tree-protocol.js';
import { begin } from '../../backend/posix/tree-walks.js';
import { Pace } from '../../backend/posix/walk.js';

/** The real walks on the spec's own thread: a worker thread cannot be started from a .ts file. */
export function inlineTrees(volumePath: string): PosixTrees {
  const run = async (
    order: TreeOrder,
    _options: unknown,
    onBatch?: (batch: Uint8Array) => void,
  ): Promise<unknown> => {
    const walk = begin({ path: volumePath, reservedNames: [] }, order, new Pace());
    for (;;) {
      const step = walk.next();
      if (step.done) return step.value;
      if (step.value) onBatch?.(step.value);
      await Promise.resolve();
    }
  };
  async function* stream(order: TreeOrder): AsyncGenerator<Uint8Array> {
    const batches: Uint8Array[] = [];
    await run(order, {}, (batch) => batches.push(batch));
    yield* batches;
  }
  const pool = { maxThreads: 1, run, stream, close: async () => undefined };
  return new PosixTrees(pool as unknown as TreePool);
}
