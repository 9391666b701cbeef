import type { TreeTaskOptions } from '../contract/tree-task.js';
import { SharedTask, type TreeOrder, type TreeVolume } from './tree-protocol.js';
import { TreeThread, type TaskListener } from './tree-thread.js';
import { volumeClosing } from './volume-closing.js';

export interface TreePoolOptions {
  /** Of the volume, as configured. */
  readonly name: string;
  /** Entry of the worker thread: `tree-worker.js` of the built product. */
  readonly workerUrl: URL;
  readonly volume: TreeVolume;
  readonly maxThreads?: number;
  /** A thread that has had nothing to do for so long is ended. */
  readonly idleMs?: number;
}

const MAX_THREADS = 2;
const IDLE_MS = 30_000;
const PROGRESS_MS = 200;

/** A task that was started: what its owner may still say to it. */
interface RunningTask {
  /** A batch was used. */
  credit(): void;
  cancel(): void;
}

/**
 * The tree worker threads of one volume: made when there is work, few, and ended when idle. A volume that
 * hangs keeps its own threads busy and nobody else's.
 */
export class TreePool {
  readonly #options: Required<TreePoolOptions>;
  readonly #threads = new Set<TreeThread>();
  readonly #idleTimers = new Map<TreeThread, NodeJS.Timeout>();
  #isClosed = false;

  constructor(options: TreePoolOptions) {
    this.#options = { maxThreads: MAX_THREADS, idleMs: IDLE_MS, ...options };
  }

  /** Into how many tasks work is split that may go on side by side. */
  get maxThreads(): number {
    return this.#options.maxThreads;
  }

  get threadCount(): number {
    return this.#threads.size;
  }

  /** Resolves with what the walk returns; its batches go to `onBatch` as they come, and what that throws ends the walk. */
  run<Result>(
    order: TreeOrder,
    options: TreeTaskOptions = {},
    onBatch?: (batch: Uint8Array) => void,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const task = this.#start(order, options, {
        batch: (batch) => {
          try {
            onBatch?.(batch);
            task.credit();
          } catch (error) {
            reject(error);
            task.cancel();
          }
        },
        done: (result) => resolve(result as Result),
        cancelled: () => reject(this.#cancellation(options)),
        failed: reject,
      });
    });
  }

  /** The batches of a walk; it pauses when a few of them have not been asked for, and stops when the loop is left. */
  async *stream(order: TreeOrder, options: TreeTaskOptions = {}): AsyncGenerator<Uint8Array, void> {
    const batches: Uint8Array[] = [];
    let end: { error?: unknown } | undefined;
    let wake = (): void => undefined;
    const finish = (how: { error?: unknown }): void => {
      end = how;
      wake();
    };
    const task = this.#start(order, options, {
      batch: (batch) => {
        batches.push(batch);
        wake();
      },
      done: () => finish({}),
      cancelled: () => finish({ error: this.#cancellation(options) }),
      failed: (error) => finish({ error }),
    });
    try {
      for (;;) {
        const batch = batches.shift();
        if (batch) {
          yield batch;
          task.credit();
        } else if (end) {
          if ('error' in end) throw end.error;
          return;
        } else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      if (!end) task.cancel();
    }
  }

  /** Stops what runs and ends the threads; resolves when they are gone, or after `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    const threads = [...this.#threads];
    for (const thread of threads) thread.stop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
    await Promise.race([Promise.all(threads.map((thread) => thread.ended)), late]);
    clearTimeout(timer);
    for (const thread of this.#threads) thread.abandon(volumeClosing(this.#options.name));
  }

  /** Without an aborted signal it was the volume's closing that cancelled. */
  #cancellation({ signal }: TreeTaskOptions): unknown {
    return signal?.aborted ? signal.reason : volumeClosing(this.#options.name);
  }

  /** Throws the signal's reason, or UNAVAILABLE when the volume is closed, and starts nothing then. */
  #start(order: TreeOrder, options: TreeTaskOptions, listener: TaskListener): RunningTask {
    const { signal, onProgress } = options;
    signal?.throwIfAborted();
    if (this.#isClosed) throw volumeClosing(this.#options.name);
    const thread = this.#pick();
    const shared = new SharedTask();
    const cancel = (): void => thread.cancel(id);
    const timer = onProgress && setInterval(() => onProgress(shared.read()), PROGRESS_MS);
    const settle = (): void => {
      signal?.removeEventListener('abort', cancel);
      clearInterval(timer);
      this.#watchIdle(thread);
      onProgress?.(shared.read());
    };
    const id = thread.start(order, shared, {
      batch: (batch) => listener.batch(batch),
      done: (result) => (settle(), listener.done(result)),
      cancelled: () => (settle(), listener.cancelled()),
      failed: (error) => (settle(), listener.failed(error)),
    });
    signal?.addEventListener('abort', cancel, { once: true });
    return { credit: () => thread.credit(id), cancel };
  }

  /** An idle thread, else a new one, else the one with the fewest tasks. */
  #pick(): TreeThread {
    const [best] = [...this.#threads].filter((thread) => thread.isUsable).toSorted(byLoad);
    const usable =
      best && (best.load === 0 || this.#threads.size >= this.#options.maxThreads)
        ? best
        : this.#makeThread();
    clearTimeout(this.#idleTimers.get(usable));
    return usable;
  }

  #makeThread(): TreeThread {
    const thread = new TreeThread(this.#options.workerUrl, this.#options.volume);
    this.#threads.add(thread);
    void thread.ended.then(() => this.#forget(thread));
    return thread;
  }

  #watchIdle(thread: TreeThread): void {
    if (thread.load > 0 || !thread.isUsable) return;
    const retire = (): void => {
      this.#forget(thread);
      thread.retire();
    };
    this.#idleTimers.set(thread, setTimeout(retire, this.#options.idleMs).unref());
  }

  #forget(thread: TreeThread): void {
    clearTimeout(this.#idleTimers.get(thread));
    this.#idleTimers.delete(thread);
    this.#threads.delete(thread);
  }
}

function byLoad(a: TreeThread, b: TreeThread): number {
  return a.load - b.load;
}
