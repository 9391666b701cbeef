import type { WalkShare } from './walks/usage.js';

/**
 * What the pool and its worker threads say to each other. Structured clone turns Buffers into Uint8Arrays, so
 * bytes are typed as such here.
 */

/** The volume that a thread works on. */
export interface TreeVolume {
  /** Mount path. */
  readonly path: string;
  /** See `VolumeStrategies.reservedNames`. */
  readonly reservedNames: readonly Uint8Array[];
  /** See `OpenableVolume`. */
  readonly refusesLinks?: boolean;
}

/** The work itself; paths are relative to the volume's mount path, or to `root`. */
export type TreeOrder =
  | {
      readonly kind: 'list';
      readonly root: Uint8Array;
      readonly path: Uint8Array;
      readonly limit: number;
      readonly cursor: string | undefined;
      readonly omit: readonly Uint8Array[];
    }
  | {
      readonly kind: 'scan';
      readonly root: Uint8Array;
      readonly path: Uint8Array;
      readonly omit: readonly Uint8Array[];
      readonly contentUpToBytes: number;
    }
  | {
      readonly kind: 'usage';
      readonly path: Uint8Array;
      readonly omit: readonly Uint8Array[];
      readonly filesOnly?: boolean;
      readonly share?: WalkShare;
    }
  | {
      readonly kind: 'attributes';
      readonly path: Uint8Array;
      readonly names: readonly string[];
    }
  | {
      readonly kind: 'copy';
      readonly source: Uint8Array;
      readonly destination: Uint8Array;
      readonly destinationVolumePath: string | undefined;
      readonly omit: readonly Uint8Array[];
      readonly durable: boolean;
    }
  | { readonly kind: 'remove'; readonly path: Uint8Array; readonly keepDirectory: boolean }
  | { readonly kind: 'remove-entry'; readonly root: Uint8Array; readonly path: Uint8Array };

export type ToWorker =
  | {
      readonly type: 'start';
      readonly id: number;
      readonly order: TreeOrder;
      readonly shared: SharedArrayBuffer;
    }
  /** A batch was used: another may be sent. */
  | { readonly type: 'credit'; readonly id: number }
  /** The cancel flag was set; for tasks that wait for credit and do not look. */
  | { readonly type: 'cancel'; readonly id: number }
  /** No more tasks will come. */
  | { readonly type: 'end' };

export type FromWorker =
  | { readonly type: 'batch'; readonly id: number; readonly batch: Uint8Array }
  | { readonly type: 'done'; readonly id: number; readonly result: unknown }
  | { readonly type: 'cancelled'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly failure: Failure };

/** An error's way between threads, where classes are lost. */
export type Failure =
  | { readonly errno: number; readonly syscall: string }
  | { readonly message: string; readonly stack: string | undefined };

/** Batches on their way, or waiting to be used, before the worker puts a task aside. */
export const BATCHES_IN_FLIGHT = 4;

/** The memory that both sides of one task see: a cancel flag, and figures of progress. */
export class SharedTask {
  readonly #flag: Int32Array;
  readonly #figures: BigInt64Array;

  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(24)) {
    this.#flag = new Int32Array(buffer, 0, 1);
    this.#figures = new BigInt64Array(buffer, 8, 2);
  }

  get isCancelled(): boolean {
    return Atomics.load(this.#flag, 0) !== 0;
  }

  cancel(): void {
    Atomics.store(this.#flag, 0, 1);
  }

  read(): { entries: number; bytes: number } {
    return {
      entries: Number(Atomics.load(this.#figures, 0)),
      bytes: Number(Atomics.load(this.#figures, 1)),
    };
  }

  write({ entries, bytes }: { readonly entries: number; readonly bytes: number }): void {
    Atomics.store(this.#figures, 0, BigInt(entries));
    Atomics.store(this.#figures, 1, BigInt(bytes));
  }
}
