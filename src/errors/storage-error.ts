import { ERROR_TABLE, type ErrorCode } from './error-code.js';

/** What the error is about; together with the code it decides the status and `error_code` on the wire. */
export type ErrorSubject =
  'request' | 'route' | 'token' | 'volume' | 'quota-scope' | 'vfolder' | 'entry' | 'upload' | 'job';

export interface ErrorDetails {
  readonly subject?: ErrorSubject;
  /** Positive Linux errno, when a system call was the cause. */
  readonly errno?: number;
  /** Paths relative to the vfolder; never host paths. */
  readonly paths?: readonly string[];
  readonly volume?: string;
  /** The vfolder id as text. */
  readonly vfid?: string;
  readonly subpath?: string;
  /** Machine-readable extras, sent as `data`: for example `{ member: reason }` of a failed validation. */
  readonly data?: unknown;
  /** When retrying makes sense, seconds. */
  readonly retryAfterSeconds?: number;
  /** Extra response headers that belong to this error, for example `Allow`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The one error type that leaves a layer on purpose. Anything else is a defect and becomes `INTERNAL`. */
export class StorageError extends Error {
  override readonly name = 'StorageError';

  constructor(
    readonly code: ErrorCode,
    message: string = ERROR_TABLE[code].meaning,
    readonly details: ErrorDetails = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Narrowing test by code, for `catch` blocks. */
export function isStorageError(error: unknown, ...codes: ErrorCode[]): error is StorageError {
  return error instanceof StorageError && (codes.length === 0 || codes.includes(error.code));
}
