import koffi from 'koffi';
import { Errno, isErrno, SystemError } from './errno.js';

/**
 * One C function in two forms: `sync` for worker threads and for calls that cannot block, `call` on
 * libuv's thread pool. Both throw SystemError when the function returns a negative number.
 */
export interface NativeFunction<Args extends readonly unknown[]> {
  sync(...args: Args): number;
  call(...args: Args): Promise<number>;
}

/** koffi queues 256 asynchronous calls by default and throws at the 257th; our bulkheads stay far below this. */
const MAX_QUEUED_CALLS = 4096;
/**
 * Calls under way that have memory of their own; each further one maps some and unmaps it afterwards, which costs twice as
 * much as the call. The most that koffi allows; 256 KiB of address space each, of which a call touches a page or two.
 */
const RESIDENT_CALLS = 32;

// koffi refuses a change once a library is loaded, even by another copy of this module in the process.
const limits = koffi.config();
if (limits.max_async_calls !== MAX_QUEUED_CALLS) {
  koffi.config({
    ...limits,
    max_async_calls: MAX_QUEUED_CALLS,
    resident_async_pools: RESIDENT_CALLS,
  });
}
const libc = koffi.load(null);

/**
 * Fault injection for tests: asked before each system call; a positive number makes the call fail with
 * that errno without being made.
 */
export type FaultInjector = (syscall: string) => number | undefined;
let injector: FaultInjector | undefined;

/** Installs, or with `undefined` removes, the fault injector of this thread. */
export function injectFaults(faults: FaultInjector | undefined): void {
  injector = faults;
}

/** Throws the injected fault for `syscall`, if there is one. */
export function throwInjected(syscall: string): void {
  const errno = injector?.(syscall);
  if (errno) throw new SystemError(errno, syscall);
}

/** Makes a call until no signal interrupts it (EINTR). */
export function uninterrupted<Result>(makeCall: () => Result): Result {
  for (;;) {
    try {
      return makeCall();
    } catch (error) {
      if (!isErrno(error, Errno.EINTR)) throw error;
    }
  }
}

/** The same for a call on the thread pool. */
export async function uninterruptedly<Result>(makeCall: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await makeCall();
    } catch (error) {
      if (!isErrno(error, Errno.EINTR)) throw error;
    }
  }
}

/**
 * Binds a C prototype without variadic parameters: koffi cannot call variadic ones asynchronously, and on
 * Linux the ABIs of x86-64 and arm64 pass fixed ones in the same registers. Interrupted calls are repeated.
 * Buffers are passed by address; the closure keeps them referenced until the call has returned.
 */
export function bind<Args extends readonly unknown[]>(
  syscall: string,
  prototype: string,
): NativeFunction<Args> {
  const fn = libc.func(prototype);

  const once = (args: Args): number => {
    throwInjected(syscall);
    const result = Number(fn(...args));
    if (result < 0) throw new SystemError(koffi.errno(), syscall);
    return result;
  };

  const sync = (...args: Args): number => {
    // Walks make millions of calls: the first attempt costs no closure.
    if (injector === undefined) {
      const result = Number(fn(...args));
      if (result >= 0) return result;
      const errno = koffi.errno();
      if (errno !== Errno.EINTR) throw new SystemError(errno, syscall);
    }
    return uninterrupted(() => once(args));
  };

  const callOnce = (args: Args): Promise<number> =>
    new Promise((resolve, reject) => {
      throwInjected(syscall);
      fn.async(...args, (error: Error | null, result: number | bigint) => {
        // koffi.errno() is this call's only until the callback returns.
        if (error) reject(error);
        else if (Number(result) < 0) reject(new SystemError(koffi.errno(), syscall));
        else resolve(Number(result));
      });
    });

  const call = (...args: Args): Promise<number> => uninterruptedly(() => callOnce(args));

  return { sync, call };
}

/** A path or name as C wants it. Throws EINVAL for an embedded NUL, which would cut the name short. */
export function cString(bytes: Buffer): Buffer {
  if (bytes.includes(0)) throw new SystemError(Errno.EINVAL, 'path');
  const terminated = Buffer.allocUnsafe(bytes.length + 1);
  bytes.copy(terminated);
  terminated[bytes.length] = 0;
  return terminated;
}

/** Where a Buffer's bytes are. Good while the caller keeps the Buffer; take one from `Buffer.allocUnsafeSlow`, which nobody shares. */
export function addressOf(buffer: Uint8Array): number {
  return Number(koffi.address(buffer));
}
