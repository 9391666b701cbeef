import type { ErrorCode } from './error-code.js';
import { StorageError, type ErrorDetails } from './storage-error.js';

/** Linux errno numbers are the only reliable key: Node has no name for EDQUOT and ESTALE. */
const CODE_BY_ERRNO: ReadonlyMap<number, ErrorCode> = new Map([
  [1 /* EPERM */, 'PERMISSION_DENIED'],
  [2 /* ENOENT */, 'NOT_FOUND'],
  [5 /* EIO */, 'UNAVAILABLE'],
  [11 /* EAGAIN */, 'LOCKED'],
  [13 /* EACCES */, 'PERMISSION_DENIED'],
  [16 /* EBUSY */, 'LOCKED'],
  [17 /* EEXIST */, 'ALREADY_EXISTS'],
  [18 /* EXDEV: openat2 left its root */, 'OUTSIDE_VFOLDER'],
  [20 /* ENOTDIR */, 'NOT_A_DIRECTORY'],
  [21 /* EISDIR */, 'IS_A_DIRECTORY'],
  [22 /* EINVAL */, 'INVALID_ARGUMENT'],
  [23 /* ENFILE */, 'UNAVAILABLE'],
  [24 /* EMFILE */, 'UNAVAILABLE'],
  [27 /* EFBIG */, 'TOO_LARGE'],
  [28 /* ENOSPC */, 'NO_SPACE'],
  [30 /* EROFS */, 'PERMISSION_DENIED'],
  [36 /* ENAMETOOLONG */, 'INVALID_ARGUMENT'],
  [39 /* ENOTEMPTY */, 'NOT_EMPTY'],
  [40 /* ELOOP */, 'OUTSIDE_VFOLDER'],
  [95 /* EOPNOTSUPP */, 'UNSUPPORTED'],
  [103 /* ECONNABORTED */, 'UNAVAILABLE'],
  [107 /* ENOTCONN */, 'UNAVAILABLE'],
  [108 /* ESHUTDOWN */, 'UNAVAILABLE'],
  [110 /* ETIMEDOUT */, 'UNAVAILABLE'],
  [116 /* ESTALE */, 'UNAVAILABLE'],
  [122 /* EDQUOT */, 'QUOTA_EXCEEDED'],
]);

/** The shape shared by `native`'s SystemError and Node's own errors. */
export interface SystemErrorLike extends Error {
  /** Linux errno, positive or (as Node has it) negative. */
  readonly errno: number;
  readonly syscall?: string;
}

export function isSystemError(error: unknown): error is SystemErrorLike {
  return error instanceof Error && typeof (error as { errno?: unknown }).errno === 'number';
}

/**
 * Turns a failed system call into a StorageError; other errors are returned as they are, so that
 * `throw fromSystemError(error, …)` is always right. The message is the kernel's text, without paths, or ours where
 * that would mislead.
 */
export function fromSystemError(error: unknown, details: ErrorDetails = {}): unknown {
  if (!isSystemError(error)) return error;
  const errno = Math.abs(error.errno);
  const code = CODE_BY_ERRNO.get(errno) ?? 'INTERNAL';
  return new StorageError(
    code,
    // What the kernel says of a path that leaves its root is about devices, and helps nobody.
    code === 'OUTSIDE_VFOLDER' ? undefined : (strerror(errno) ?? error.message),
    { subject: 'entry', errno, ...details },
    { cause: error },
  );
}

/** The messages of glibc's strerror(3) for the errnos a client can meet; the wire's `msg` of a failed file operation. */
export function strerror(errno: number): string | undefined {
  return MESSAGES.get(errno);
}

const MESSAGES: ReadonlyMap<number, string> = new Map([
  [1, 'Operation not permitted'],
  [2, 'No such file or directory'],
  [5, 'Input/output error'],
  [11, 'Resource temporarily unavailable'],
  [13, 'Permission denied'],
  [16, 'Device or resource busy'],
  [17, 'File exists'],
  [18, 'Invalid cross-device link'],
  [20, 'Not a directory'],
  [21, 'Is a directory'],
  [22, 'Invalid argument'],
  [23, 'Too many open files in system'],
  [24, 'Too many open files'],
  [27, 'File too large'],
  [28, 'No space left on device'],
  [30, 'Read-only file system'],
  [31, 'Too many links'],
  [36, 'File name too long'],
  [39, 'Directory not empty'],
  [40, 'Too many levels of symbolic links'],
  [95, 'Operation not supported'],
  [103, 'Software caused connection abort'],
  [107, 'Transport endpoint is not connected'],
  [108, 'Cannot send after transport endpoint shutdown'],
  [110, 'Connection timed out'],
  [116, 'Stale file handle'],
  [122, 'Disk quota exceeded'],
]);
