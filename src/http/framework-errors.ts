import { HttpException } from '@nestjs/common';
import { StorageError } from '../errors/storage-error.js';

/** Errors of Fastify (`FST_…`) and of Node's HTTP server carry a status. */
interface FrameworkError extends Error {
  readonly statusCode: number;
}

/** True for errors that the HTTP framework threw about a request, with a 4xx of its own. */
export function isFrameworkError(error: unknown): error is FrameworkError {
  if (!(error instanceof Error)) return false;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode < 500;
}

/**
 * Gives an error of Nest or Fastify its meaning. Nest wraps Fastify's in an HttpException; only the
 * status matters here, since our own code throws StorageError for everything more precise.
 */
export function fromFrameworkError(error: HttpException | FrameworkError): StorageError {
  const status = error instanceof HttpException ? error.getStatus() : error.statusCode;
  const options = { cause: error };
  const request = { subject: 'request' } as const;
  switch (status) {
    case 401:
      return new StorageError('UNAUTHENTICATED', undefined, request, options);
    case 403:
      return new StorageError('FORBIDDEN', undefined, request, options);
    case 404:
      return new StorageError('NOT_FOUND', 'No such path', { subject: 'route' }, options);
    case 405:
      return new StorageError('METHOD_NOT_ALLOWED', undefined, { subject: 'route' }, options);
    case 413:
      return new StorageError('TOO_LARGE', undefined, request, options);
    case 429:
      return new StorageError('RATE_LIMITED', undefined, request, options);
    case 503:
      return new StorageError('UNAVAILABLE', 'Not ready', request, options);
    default:
      return status < 500
        ? new StorageError('INVALID_ARGUMENT', error.message, request, options)
        : new StorageError('INTERNAL', 'Internal error', request, options);
  }
}
