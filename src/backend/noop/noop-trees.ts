import type { Listing, ScannedEntry } from '../contract/entry.js';
import type { TreeOperations, TreeUsage } from '../contract/tree-operations.js';

/** Trees of a volume that holds none. */
export class NoopTrees implements TreeOperations {
  readonly scansFast = false;
  readonly knowsUsageAtOnce = false;

  list(): Promise<Listing> {
    return Promise.resolve({ entries: [] });
  }

  async *scan(): AsyncGenerator<readonly ScannedEntry[], void> {
    // Nothing to meet.
  }

  usage(): Promise<TreeUsage> {
    return Promise.resolve({ fileCount: 0, usedBytes: 0 });
  }

  copy(): Promise<void> {
    return Promise.resolve();
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }

  removeEntry(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
