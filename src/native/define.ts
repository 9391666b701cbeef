import { isErrno } from './errno.js';
import type { NativeFunction } from './ffi.js';

/** A system call in our terms, in both forms. */
export interface Definition<Args extends unknown[], Result> {
  sync(...args: Args): Result;
  call(...args: Args): Promise<Result>;
}

/** A system call in our terms: arguments encoded for C, the result decoded; errors as `fn` throws them. */
export const define =
  <Raw extends readonly unknown[]>(fn: NativeFunction<Raw>) =>
  <Args extends unknown[], Result>(
    encode: (...args: Args) => Raw,
    decode: (result: number, raw: Raw) => Result,
  ): Definition<Args, Result> => ({
    sync(...args) {
      const raw = encode(...args);
      return decode(fn.sync(...raw), raw);
    },
    async call(...args) {
      const raw = encode(...args);
      return decode(await fn.call(...raw), raw);
    },
  });

/** The same call, `orElse` when it fails with `errno`, for errnos that are answers rather than failures. */
export function unlessErrno<Args extends unknown[], Result, Other>(
  definition: Definition<Args, Result>,
  errno: number,
  orElse: Other,
): Definition<Args, Result | Other> {
  const recover = (error: unknown): Other => {
    if (isErrno(error, errno)) return orElse;
    throw error;
  };
  return {
    sync(...args) {
      try {
        return definition.sync(...args);
      } catch (error) {
        return recover(error);
      }
    },
    call: (...args) => definition.call(...args).catch(recover),
  };
}

export const nothing = (): void => undefined;
