import { SystemError } from '../../native/errno.js';
import {
  BATCHES_IN_FLIGHT,
  SharedTask,
  type Failure,
  type FromWorker,
  type ToWorker,
  type TreeOrder,
} from './tree-protocol.js';
import { Pace, type Walk } from './walk.js';

/** Longest time one task has the thread while others wait. */
const SLICE_MS = 10;

type Message = Exclude<ToWorker, { type: 'end' }>;

interface Task {
  readonly id: number;
  readonly walk: Walk<unknown>;
  readonly pace: Pace;
  readonly shared: SharedTask;
  credits: number;
}

/** Runs many walks on one thread, in slices of time, so that none has to wait for another to end. */
export class TreeScheduler {
  readonly #tasks = new Map<number, Task>();

  constructor(
    private readonly begin: (order: TreeOrder, pace: Pace) => Walk<unknown>,
    private readonly send: (message: FromWorker) => void,
  ) {}

  receive(message: Message): void {
    switch (message.type) {
      case 'start': {
        const pace = new Pace();
        this.#tasks.set(message.id, {
          id: message.id,
          walk: this.begin(message.order, pace),
          pace,
          shared: new SharedTask(message.shared),
          credits: BATCHES_IN_FLIGHT,
        });
        return;
      }
      case 'credit': {
        const task = this.#tasks.get(message.id);
        if (task) task.credits++;
        return;
      }
      case 'cancel':
        return; // The flag says it; the next turn looks.
    }
  }

  /** Gives each task that can go on one slice: false when none can until a message comes. */
  turn(): boolean {
    let ran = false;
    for (const task of this.#tasks.values()) {
      if (task.credits === 0 && !task.shared.isCancelled) continue;
      ran = true;
      this.#runSlice(task);
    }
    return ran;
  }

  get isIdle(): boolean {
    return this.#tasks.size === 0;
  }

  #runSlice(task: Task): void {
    const message = this.#advance(task);
    task.shared.write(task.pace.progress);
    if (message === undefined) return;
    this.#tasks.delete(task.id);
    this.send(message);
  }

  /** The last message of a task that has come to its end. */
  #advance(task: Task): FromWorker | undefined {
    const { id, walk, shared } = task;
    try {
      const deadline = performance.now() + SLICE_MS;
      do {
        if (shared.isCancelled) {
          walk.return(undefined);
          return { type: 'cancelled', id };
        }
        const step = walk.next();
        if (step.done) return { type: 'done', id, result: step.value };
        if (step.value) {
          this.send({ type: 'batch', id, batch: step.value });
          task.credits--;
        }
      } while (task.credits > 0 && performance.now() < deadline);
      return undefined;
    } catch (error) {
      return { type: 'failed', id, failure: describe(error as Error) };
    }
  }
}

function describe(error: Error): Failure {
  if (error instanceof SystemError) return { errno: error.errno, syscall: error.syscall };
  return { message: error.message, stack: error.stack };
}
