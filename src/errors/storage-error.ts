import { ERROR_TABLE, type ErrorCode } from './error-code.js';

/** What the error is about; together with the code it decides the status and `error_code` on the wire. */
export type ErrorSubject =
  'request' | 'route' | 'token' | 'volume' | 'quota-scope' | 'vfolder' | 'entry' | 'upload' | 'job';

/**
 * Tells apart what shares a code and a subject but not an answer on the wire. Optional: without one,
 * the answer of (code, subject) is given.
 */
export type ErrorReason =
  | 'body-malformed'
  | 'body-not-allowed'
  | 'body-late'
  | 'overloaded'
  | 'auth-missing'
  | 'auth-invalid'
  | 'token-undecodable'
  | 'token-claims'
  | 'token-signature'
  | 'offset-header'
  | 'lease-held'
  | 'lease-lost'
  | 'quota-config'
  | 'quota-create'
  | 'quota-command'
  | 'quota-format'
  | 'metadata'
  | 'not-ready'
  | 'not-installed'
  | 'execution'
  | 'toolkit'
  | 'external';

export interface ErrorDetails {
  readonly subject?: ErrorSubject;
  readonly reason?: ErrorReason;
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
