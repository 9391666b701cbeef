/** Linux errno numbers (asm-generic, the same on x86-64 and arm64) that anybody here decides on. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  ENOPROTOOPT: 92,
  EOPNOTSUPP: 95,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOTCONN: 107,
  ESHUTDOWN: 108,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

const NAMES = new Map<number, string>(
  Object.entries(Errno).map(([name, number]) => [number, name]),
);

/** A failed system call. `errno` is positive; `code` is its name, or `E<number>` for one we have no name for. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  readonly code: string;

  constructor(
    readonly errno: number,
    readonly syscall: string,
    options?: { cause?: unknown },
  ) {
    const code = NAMES.get(errno) ?? `E${errno}`;
    super(`${syscall}: ${code}`, options);
    this.code = code;
  }

  /** Node's own errors carry a negative errno, and no usable code for EDQUOT and ESTALE. */
  static from(error: Error, syscall: string): Error {
    const { errno } = error as { errno?: unknown };
    if (typeof errno !== 'number' || error instanceof SystemError) return error;
    return new SystemError(Math.abs(errno), syscall, { cause: error });
  }
}

/** Whether `error` is a SystemError, and one of `errnos` when any are given. */
export function isErrno(error: unknown, ...errnos: number[]): error is SystemError {
  return error instanceof SystemError && (errnos.length === 0 || errnos.includes(error.errno));
}
