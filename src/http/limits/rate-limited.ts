import { StorageError } from '../../errors/storage-error.js';
import { countLimitReached } from '../../observability/metrics.js';

/** The answer to a client that failed to authenticate too often; counted. */
export function refuseUntil(plane: string, retryAfterSeconds: number): StorageError {
  countLimitReached(plane, 'auth-failures');
  return new StorageError('RATE_LIMITED', 'Too many failed authentications from this address', {
    subject: 'request',
    retryAfterSeconds,
  });
}
