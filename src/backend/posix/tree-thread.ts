import { Worker } from 'node:worker_threads';
import { StorageError } from '../../errors/storage-error.js';
import { DescriptorLedger } from '../../native/descriptor-ledger.js';
import { SystemError } from '../../native/errno.js';
import {
  SharedTask,
  type Failure,
  type FromWorker,
  type ToWorker,
  type TreeOrder,
  type TreeVolume,
} from './tree-protocol.js';

/** What a task's owner is told; exactly one of `done`, `cancelled` and `failed` comes, and comes last. */
export interface TaskListener {
  batch(batch: Uint8Array): void;
  done(result: unknown): void;
  /** Ended because it was cancelled: nothing of it runs any more. */
  cancelled(): void;
  failed(error: Error): void;
}

/** One worker thread of a volume, seen from the thread that started it. */
export class TreeThread {
  readonly #worker: Worker;
  readonly #descriptors = new DescriptorLedger();
  readonly #tasks = new Map<number, { listener: TaskListener; shared: SharedTask }>();
  #nextId = 1;
  #isRetired = false;

  /** Resolves when the thread is gone, for whatever reason. */
  readonly ended: Promise<void>;

  constructor(url: URL, volume: TreeVolume) {
    this.#worker = new Worker(url, {
      name: 'tree-worker',
      workerData: { volume, descriptors: this.#descriptors.buffer },
      // Descriptors are closed by those who opened them; Node's own book-keeping does not see most of them.
      trackUnmanagedFds: false,
    });
    this.#worker.unref();
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('messageerror', (error) => this.#fail(error));
    this.#worker.on('error', (error) => this.#fail(error));
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#descriptors.closeAll();
        this.#fail(new Error(`tree worker exited with code ${code}`));
        resolve();
      });
    });
  }

  /** Tasks that have not come to their end. */
  get load(): number {
    return this.#tasks.size;
  }

  /** False once it can take no more tasks. */
  get isUsable(): boolean {
    return !this.#isRetired;
  }

  start(order: TreeOrder, shared: SharedTask, listener: TaskListener): number {
    const id = this.#nextId++;
    if (this.#tasks.size === 0) this.#worker.ref();
    this.#tasks.set(id, { listener, shared });
    this.#post({ type: 'start', id, order, shared: shared.buffer });
    return id;
  }

  credit(id: number): void {
    this.#post({ type: 'credit', id });
  }

  /** Stops the task at its next entry; its listener hears of it. */
  cancel(id: number): void {
    this.#tasks.get(id)?.shared.cancel();
    this.#post({ type: 'cancel', id });
  }

  /** Takes no more tasks, and ends the thread when those it has have come to their end. */
  retire(): void {
    this.#isRetired = true;
    if (this.#tasks.size === 0) this.#post({ type: 'end' });
  }

  /** Stops every task, then ends the thread. */
  stop(): void {
    for (const id of this.#tasks.keys()) this.cancel(id);
    this.retire();
  }

  /**
   * Fails every task now. The thread ends by itself when its system call returns, which on a hung volume may be never.
   * It is not terminated: that would leave open what its walks have opened.
   */
  abandon(error: Error): void {
    for (const { shared } of this.#tasks.values()) shared.cancel();
    this.#fail(error);
    this.#worker.unref();
    this.#post({ type: 'end' });
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    const listener = this.#tasks.get(message.id)?.listener;
    if (!listener) return;
    if (message.type === 'batch') {
      listener.batch(message.batch);
      return;
    }
    this.#tasks.delete(message.id);
    if (this.#tasks.size === 0) {
      this.#worker.unref();
      if (this.#isRetired) this.#post({ type: 'end' });
    }
    if (message.type === 'done') listener.done(message.result);
    else if (message.type === 'cancelled') listener.cancelled();
    else listener.failed(revive(message.failure));
  }

  #fail(cause: Error): void {
    this.#isRetired = true;
    const tasks = [...this.#tasks.values()];
    this.#tasks.clear();
    const error =
      cause instanceof StorageError
        ? cause
        : new StorageError('INTERNAL', 'A tree worker thread ended unexpectedly', {}, { cause });
    for (const { listener } of tasks) listener.failed(error);
  }
}

function revive(failure: Failure): Error {
  if ('errno' in failure) return new SystemError(failure.errno, failure.syscall);
  const error = new Error(failure.message);
  if (failure.stack !== undefined) error.stack = failure.stack;
  return error;
}
