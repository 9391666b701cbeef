import { fileURLToPath } from 'node:url';
import type { BeneathRule } from '../../../native/landlock.js';
import type { Confinement } from './confinement.js';
import type { ConfinedStart } from './confined-start.js';
import { CONFINED_MAIN_URL } from './confined-main-url.js';
import { ProcessSlots } from './process-slots.js';
import { runTool, type ToolCommand } from './tool-process.js';

/** A program that goes into trees, with the trees it may go into, in the order of its descriptors 3, 4 and so on. */
export interface TreeCommand extends Omit<ToolCommand, 'descriptors'> {
  readonly trees: readonly BeneathRule[];
}

export interface ToolRunnerOptions {
  readonly processes: number;
  /** `null`: programs run unconfined, as the operator wants it. */
  readonly confinement: Extract<Confinement, { kind: 'kernel' }> | null;
  readonly stallMs?: number;
}

/** Starts the programs of one volume, so many at a time, and ends them with it. */
export class ToolRunner {
  /** Listings, for which somebody waits, never queue behind work on whole trees. */
  readonly #looks: ProcessSlots;
  readonly #walks: ProcessSlots;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(private readonly options: ToolRunnerOptions) {
    this.#looks = new ProcessSlots(options.processes);
    this.#walks = new ProcessSlots(options.processes);
  }

  /** A program that only looks at the directory it is started in, and so needs no confinement. */
  look(command: ToolCommand, signal?: AbortSignal): AsyncGenerator<Buffer, void> {
    return this.#run(this.#looks, command, signal);
  }

  async *#run(
    slots: ProcessSlots,
    command: ToolCommand,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer, void> {
    const signals = [this.#closing.signal, ...(signal ? [signal] : [])];
    const any = AbortSignal.any(signals);
    const release = await slots.take(any);
    const { promise, resolve } = withResolvers();
    this.#running.add(promise);
    try {
      const { stallMs } = this.options;
      yield* runTool(command, { signal: any, ...(stallMs !== undefined && { stallMs }) });
    } finally {
      release();
      this.#running.delete(promise);
      resolve();
    }
  }

  /** A program that goes into trees: kept in them by the kernel, and ended when this process dies. */
  walk({ trees, ...command }: TreeCommand, signal?: AbortSignal): AsyncGenerator<Buffer, void> {
    const { confinement } = this.options;
    const start: ConfinedStart = {
      parent: process.pid,
      program: command.program,
      descriptors: trees.length + 3,
      ...(confinement && {
        confinement: {
          trees: trees.map(({ rights }, index) => ({ fd: index + 3, rights })),
          readable: confinement.readable,
          writable: confinement.writable,
        },
      }),
    };
    return this.#run(
      this.#walks,
      {
        ...command,
        program: process.execPath,
        // Each argument stays one: the kernel takes long lists of them, but none above 128 KiB.
        args: [fileURLToPath(CONFINED_MAIN_URL), JSON.stringify(start), ...command.args],
        descriptors: trees.map(({ fd }) => fd),
      },
      signal,
    );
  }

  /** Ends what runs, with `reason` for whoever waits; resolves when nothing runs, or after `deadlineMs`. */
  async close(deadlineMs: number, reason: Error): Promise<void> {
    this.#closing.abort(reason);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
    await Promise.race([Promise.all(this.#running), late]);
    clearTimeout(timer);
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
