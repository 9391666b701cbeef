import { sync } from './calls.js';
import { isErrno } from './errno.js';

/** Beyond this a descriptor is not written down; no process here has so many. */
const MAX_DESCRIPTORS = 1 << 20;
const BITS = 32;

/**
 * The descriptors that one thread has open, in memory that it shares: a thread that crashes, or is terminated in a
 * system call, runs no `finally`, and what it left open would keep its volume from being unmounted. A bit is set
 * after a descriptor was opened and cleared before it is closed, so none is ever closed here that is somebody
 * else's by now; one may be missed.
 */
export class DescriptorLedger {
  readonly #bits: Int32Array;

  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(MAX_DESCRIPTORS / 8)) {
    this.#bits = new Int32Array(buffer);
  }

  /** From now on the synchronous calls of this thread are written down. */
  record(): void {
    for (const name of ['openat', 'openat2', 'dup'] as const) this.#recordOpening(name);
    const { close } = sync;
    sync.close = (fd) => {
      if (fd < MAX_DESCRIPTORS) Atomics.and(this.#bits, Math.floor(fd / BITS), ~(1 << (fd % BITS)));
      close(fd);
    };
  }

  /** Closes what the thread left open; it has ended. Returns how many that were. */
  closeAll(): number {
    let closed = 0;
    this.#bits.forEach((bits, index) => {
      if (bits === 0) return;
      for (let bit = 0; bit < BITS; bit++) {
        if ((bits & (1 << bit)) === 0) continue;
        closeQuietly(index * BITS + bit);
        closed += 1;
      }
    });
    this.#bits.fill(0);
    return closed;
  }

  #recordOpening(name: 'openat' | 'openat2' | 'dup'): void {
    const open = sync[name] as (...args: unknown[]) => number;
    const recorded = (...args: unknown[]): number => {
      const fd = open(...args);
      if (fd < MAX_DESCRIPTORS) Atomics.or(this.#bits, Math.floor(fd / BITS), 1 << (fd % BITS));
      return fd;
    };
    Object.assign(sync, { [name]: recorded });
  }
}

function closeQuietly(fd: number): void {
  try {
    sync.close(fd);
  } catch (error) {
    if (!isErrno(error)) throw error;
  }
}
