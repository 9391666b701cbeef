import { ERROR_TABLE, type ErrorCode } from '../errors/error-code.js';
import { strerror } from '../errors/from-system-error.js';
import {
  StorageError,
  type ErrorDetails,
  type ErrorReason,
  type ErrorSubject,
} from '../errors/storage-error.js';
import type { Operation } from './operations.js';
import { toProblem, type Problem } from './problem.js';
import type { ProblemKey } from './problem-key.js';

const VFID = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const PATH = 'data/train.csv';

const ERRNO: Readonly<Partial<Record<ErrorCode, number>>> = {
  NOT_FOUND: 2,
  PERMISSION_DENIED: 13,
  ALREADY_EXISTS: 17,
  NOT_A_DIRECTORY: 20,
  IS_A_DIRECTORY: 21,
  NO_SPACE: 28,
  NOT_EMPTY: 39,
  QUOTA_EXCEEDED: 122,
};

const MESSAGES: Readonly<Partial<Record<ProblemKey, string>>> = {
  'NOT_FOUND/volume': 'Volume not found: archive',
  'NOT_FOUND/vfolder': `VFolder not found or not a directory: ${VFID}`,
  'UNAVAILABLE/volume': 'Volume local does not answer',
  'OFFSET_MISMATCH/upload': 'Upload offset mismatch: expected 16777216, got 0',
  'INVALID_ARGUMENT/upload/offset-header':
    'Missing required Upload-Offset header for TUS PATCH request',
  'TOO_LARGE/request': 'Maximum request body size 1048576 exceeded.',
  'INVALID_ARGUMENT/request/body-late': 'The request body did not arrive within 30 s',
  'UNAVAILABLE/request/overloaded': 'All 8192 connections are at work',
  'RATE_LIMITED/request': 'Too many failed authentications from this address',
  'RATE_LIMITED/token': 'All 16 transfers that a token may have at a time are under way',
};

const DETAILS: Readonly<Partial<Record<ProblemKey, ErrorDetails>>> = {
  'UNAUTHENTICATED/token': {
    data: { token: 'cannot decode the given value as JWT: bad signature' },
  },
  'TOKEN_EXPIRED/token': { data: { token: 'cannot decode the given value as JWT: expired' } },
};

/**
 * What an error of this kind looks like on the wire of an operation; for documents.
 *
 * @param member name of a parameter that the operation requires
 */
export function exampleProblem(key: ProblemKey, operation: Operation, member: string): Problem {
  const [code, subject, reason] = key.split('/') as [ErrorCode, ErrorSubject?, ErrorReason?];
  const errno = subject === 'entry' ? ERRNO[code] : undefined;
  const needsPath = subject === 'entry';
  const message =
    (key === 'INVALID_ARGUMENT/request'
      ? `Invalid API parameters: ${member}: is required`
      : null) ??
    MESSAGES[key] ??
    (errno === undefined ? undefined : strerror(errno)) ??
    ERROR_TABLE[code].meaning;
  const details: ErrorDetails = {
    ...(subject === undefined ? {} : { subject }),
    ...(reason === undefined ? {} : { reason }),
    ...(errno === undefined ? {} : { errno }),
    ...(needsPath && code !== 'OUTSIDE_VFOLDER' ? { paths: [PATH] } : {}),
    ...(code === 'OUTSIDE_VFOLDER' ? { vfid: VFID, subpath: '../other' } : {}),
    ...(operation === 'folder.mount' && subject === 'vfolder' ? { vfid: VFID } : {}),
    ...(key === 'INVALID_ARGUMENT/request' ? { data: { [member]: 'is required' } } : {}),
    ...DETAILS[key],
  };
  return toProblem(new StorageError(code, message, details), { operation });
}
