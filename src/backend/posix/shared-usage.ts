import { Errno, isErrno } from '../../native/errno.js';
import type { TreeUsage } from '../contract/tree-operations.js';
import type { TreeProgress, TreeTaskOptions } from '../contract/tree-task.js';
import { HelpOffers } from './helping.js';
import type { TreePool } from './tree-pool.js';

/** Directories on their way to another thread: with one waiting for it, it has the next when it is done. */
const OFFERS = 2;
/** A thread that got so little has cost more than it helped; the next offer waits a moment. */
const SMALL_ENTRIES = 256;
const PAUSE_MS = 10;

/** What a directory may have become since it was seen; its own entry has been counted. */
const GONE = [Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.EACCES, Errno.EXDEV];

/**
 * The usage of one tree by more than one thread of its volume: the walk gives away directories that it meets when
 * another thread has time for them, and what was given away is walked, and given away, like the whole.
 */
export class SharedUsage {
  readonly #offers = new HelpOffers();
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;
  readonly #parts = new Set<Promise<void>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #progress = new Map<number, Readonly<TreeProgress>>();
  #walks = 0;
  #fileCount = 0;
  #usedBytes = 0;

  constructor(
    private readonly pool: TreePool,
    private readonly path: Buffer,
    private readonly options: TreeTaskOptions,
    private readonly filesOnly = false,
  ) {
    const { signal } = options;
    this.#signal = signal ? AbortSignal.any([signal, this.#failed.signal]) : this.#failed.signal;
  }

  async run(omit: readonly Buffer[]): Promise<TreeUsage> {
    for (let offer = 0; offer < OFFERS; offer++) this.#offers.offer();
    try {
      await this.#walk(Buffer.alloc(0), omit);
      // Parts give away parts of their own.
      while (this.#parts.size > 0) await Promise.all(this.#parts);
    } catch (error) {
      this.#failed.abort(error);
      await Promise.allSettled(this.#parts);
      throw error;
    } finally {
      for (const timer of this.#timers) clearTimeout(timer);
    }
    return { fileCount: this.#fileCount, usedBytes: this.#usedBytes };
  }

  /** Walks what is at `below`, names from the top with `/` between them. */
  async #walk(below: Uint8Array, omit: readonly Buffer[] = []): Promise<TreeUsage> {
    const order = {
      kind: 'usage',
      path: this.path,
      below,
      omit,
      filesOnly: this.filesOnly,
      offers: this.#offers.buffer,
    } as const;
    const task = { signal: this.#signal, ...this.#reporting(this.#walks++) };
    const found = await this.pool.run<TreeUsage>(order, task, (given) => this.#take(given));
    this.#fileCount += found.fileCount;
    this.#usedBytes += found.usedBytes;
    return found;
  }

  /** What its owner hears is the sum of all walks. */
  #reporting(walk: number): Pick<TreeTaskOptions, 'onProgress'> {
    const { onProgress } = this.options;
    if (!onProgress) return {};
    return {
      onProgress: (progress) => {
        this.#progress.set(walk, progress);
        const all = [...this.#progress.values()];
        onProgress({
          entries: all.reduce((sum, { entries }) => sum + entries, 0),
          bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
        });
      },
    };
  }

  #take(below: Uint8Array): void {
    const part = this.#help(below).finally(() => this.#parts.delete(part));
    // Met in `run`; until then it must not count as unhandled.
    part.catch((error: unknown) => this.#failed.abort(error));
    this.#parts.add(part);
  }

  async #help(below: Uint8Array): Promise<void> {
    let entries = 0;
    try {
      entries = (await this.#walk(below)).fileCount;
    } catch (error) {
      if (!isErrno(error, ...GONE)) throw error;
    }
    if (entries >= SMALL_ENTRIES) this.#offers.offer();
    else this.#offerLater();
  }

  #offerLater(): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#offers.offer();
    }, PAUSE_MS);
    this.#timers.add(timer);
  }
}
