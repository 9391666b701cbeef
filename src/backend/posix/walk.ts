import type { TreeProgress } from '../contract/tree-task.js';

/**
 * Work on a tree that is done in small steps on one thread: every `yield` is a place where the work may be
 * put aside for another tree's, or ended (then the generator's `finally` blocks close what is open). It comes
 * after a few dozen system calls at most. A yielded Buffer is a batch of results for whoever asked.
 */
export type Walk<Result> = Generator<Uint8Array | undefined, Result, void>;

/** Entries between two yields: small enough for a filesystem that takes a millisecond for each. */
const ENTRIES_PER_STEP = 32;

/** What every walk is given: where to count, and when to yield. */
export class Pace {
  #untilYield = ENTRIES_PER_STEP;
  /** Names that no walk of the volume sees. */
  hidden: readonly Buffer[] = [];

  constructor(readonly progress: TreeProgress = { entries: 0, bytes: 0 }) {}

  count(bytes: number): void {
    this.progress.entries++;
    this.progress.bytes += bytes;
  }

  /** Called for every entry that was looked at: true when it is time to yield. */
  step(): boolean {
    if (--this.#untilYield > 0) return false;
    this.#untilYield = ENTRIES_PER_STEP;
    return true;
  }
}
