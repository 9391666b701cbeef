import { ERROR_TABLE, type ErrorCode } from '../../errors/error-code.js';
import {
  StorageError,
  type ErrorDetails,
  type ErrorReason,
  type ErrorSubject,
} from '../../errors/storage-error.js';
import { isErrno, SystemError } from '../../native/errno.js';
import { anything, integer, oneOf, optional, shape, text } from './codec.js';

const MAX_ERRNO = 4095;
const MAX_MESSAGE = 2000;

const systemFailure = shape({ errno: integer(1, MAX_ERRNO), syscall: text(64) });
const storageFailure = shape({
  code: oneOf(Object.keys(ERROR_TABLE) as ErrorCode[]),
  message: text(MAX_MESSAGE),
  subject: optional(text(32)),
  reason: optional(text(32)),
  errno: optional(integer(1, MAX_ERRNO)),
  volume: optional(text(255)),
  data: optional(anything),
});
const failure = shape({ system: optional(systemFailure), storage: optional(storageFailure) });

/** The body of a failure's frame. What is no error on purpose says nothing but that: its text is for the agent's log. */
export function encodeFailure(error: unknown): unknown {
  if (isErrno(error)) {
    return failure.encode({ system: { errno: error.errno, syscall: error.syscall } });
  }
  if (!(error instanceof StorageError)) {
    return encodeFailure(new StorageError('INTERNAL', 'The agent failed; its log says why'));
  }
  const { subject, reason, errno, volume, data } = error.details;
  return failure.encode({
    storage: {
      code: error.code,
      message: error.message.slice(0, MAX_MESSAGE),
      ...(subject !== undefined && { subject }),
      ...(reason !== undefined && { reason }),
      ...(errno !== undefined && { errno }),
      ...(volume !== undefined && { volume }),
      ...(data !== undefined && { data }),
    },
  });
}

/** The error again, as what it was. Throws CodecError. */
export function decodeFailure(body: unknown): Error {
  const { system, storage } = failure.decode(body);
  if (system) return new SystemError(system.errno, system.syscall);
  const { code, message, subject, reason, ...rest } = storage ?? {
    code: 'INTERNAL',
    message: 'The agent failed without saying why',
  };
  const details: ErrorDetails = {
    ...rest,
    // Words for the proxy's own answers; one that it does not know changes nothing there.
    ...(subject !== undefined && { subject: subject as ErrorSubject }),
    ...(reason !== undefined && { reason: reason as ErrorReason }),
  };
  return new StorageError(code, message, details);
}
