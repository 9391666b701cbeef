import { ERRORS } from '@tus/server';
import { isStorageError, StorageError } from '../../errors/storage-error.js';
import { tooManyBytes } from '../../volume/uploads/upload-request.js';
import type { TusExchange } from './tus-exchange.js';

/** The library's own errors are literals of this shape. */
interface TusError {
  readonly status_code: number;
  readonly body: string;
}

export function offsetMismatch(stored: number, given: number): StorageError {
  return new StorageError(
    'OFFSET_MISMATCH',
    `Upload offset mismatch: expected ${stored}, got ${given}`,
    { subject: 'upload' },
  );
}

/** @param value of the header as it came */
export function badOffsetHeader(value: string | undefined): StorageError {
  return new StorageError(
    'INVALID_ARGUMENT',
    value === undefined
      ? 'Missing required Upload-Offset header for TUS PATCH request'
      : `Invalid Upload-Offset header value: ${value}`,
    { subject: 'upload', reason: 'offset-header' },
  );
}

/** What the library threw, or answered without throwing, in our terms. */
export function fromTusError(failure: unknown, exchange: TusExchange): unknown {
  if (isStorageError(failure) || !isTusError(failure)) return failure;
  switch (failure.status_code) {
    case ERRORS.ERR_SIZE_EXCEEDED.status_code:
      return tooManyBytes(exchange.request.sizeBytes);
    case ERRORS.FILE_NOT_FOUND.status_code:
      return new StorageError('NOT_FOUND', failure.body.trim(), { subject: 'upload' });
    case ERRORS.UNSUPPORTED_CREATION_DEFER_LENGTH_EXTENSION.status_code:
      return new StorageError('UNSUPPORTED', failure.body.trim(), { subject: 'upload' });
    default:
      return failure.status_code < 500
        ? new StorageError('INVALID_ARGUMENT', failure.body.trim(), { subject: 'upload' })
        : new Error(failure.body);
  }
}

function isTusError(failure: unknown): failure is TusError {
  const { status_code, body } = (failure ?? {}) as Partial<TusError>;
  return typeof status_code === 'number' && typeof body === 'string';
}
