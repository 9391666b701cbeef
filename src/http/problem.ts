import { HttpException } from '@nestjs/common';
import { isStorageError, StorageError } from '../errors/storage-error.js';
import { fromFrameworkError, isFrameworkError } from './framework-errors.js';
import { operationSpec, type Operation } from './operations.js';
import { problemKeys } from './problem-key.js';
import type { ProblemRow } from './problem-row.js';
import { findProblemRow } from './problem-table.js';

const TYPE_BASE = 'https://api.backend.ai/probs/';

/** What every JSON error of the product consists of; old managers insist on `msg`, new ones on `error_code`. */
interface ProblemBody {
  type: string;
  title: string;
  msg: string;
  error_code: string;
  data?: unknown;
  /** Present (maybe `null`) when a system call on an entry failed. */
  errno?: number | null;
  /** Relative to the vfolder. */
  paths?: readonly string[];
  vfid?: string;
  subpath?: string;
}

/** An error as it goes on the wire. */
export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ProblemBody;
}

export interface ProblemContext {
  readonly operation?: Operation | undefined;
  /** Named in the message of an unforeseen failure, so that the log line can be found. */
  readonly requestId?: string | undefined;
}

/**
 * The one place where an error becomes a status and a body. Never throws. Errors that nobody threw on
 * purpose become a 500 that says nothing but the request id.
 */
export function toProblem(error: unknown, context: ProblemContext = {}): Problem {
  const known = toStorageError(error, context.requestId);
  const { code, details } = known;
  const row = findProblemRow(
    problemKeys(code, details.subject ?? 'request', details.reason),
    context.operation,
  );
  return {
    status: row.status,
    headers: problemHeaders(row, known),
    body: problemBody(row, known, context.operation),
  };
}

/** `error_code` of a row for an operation. */
function errorCodeOf(row: ProblemRow, operation: Operation | undefined): string {
  const verb = operation === undefined ? 'generic' : operationSpec(operation).verb;
  return row.errorCode.replace('{verb}', verb);
}

/** The full `type` URI of a row. */
function problemType(row: ProblemRow): string {
  return TYPE_BASE + row.type;
}

/** The `Content-Type` of a row's answer. */
function problemMediaType(row: ProblemRow): string {
  return row.shape === 'problem' ? 'application/problem+json' : 'application/json';
}

function toStorageError(error: unknown, requestId: string | undefined): StorageError {
  if (isStorageError(error)) return error;
  if (error instanceof HttpException || isFrameworkError(error)) return fromFrameworkError(error);
  const hint = requestId === undefined ? '' : ` (request ${requestId})`;
  return new StorageError('INTERNAL', `Internal error${hint}`, {}, { cause: error });
}

function problemHeaders(row: ProblemRow, error: StorageError): Record<string, string> {
  const retryAfter = error.details.retryAfterSeconds ?? row.retryAfterSeconds;
  return {
    ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfter)) }),
    ...error.details.headers,
    'content-type': `${problemMediaType(row)}; charset=utf-8`,
  };
}

function problemBody(
  row: ProblemRow,
  error: StorageError,
  operation: Operation | undefined,
): ProblemBody {
  const { data, errno, paths, vfid, subpath } = error.details;
  const outside = outsideMessage(row, error);
  const body: ProblemBody = {
    type: problemType(row),
    title: row.title,
    msg: row.msg ?? outside ?? error.message,
    error_code: errorCodeOf(row, operation),
  };
  if (data !== undefined) body.data = data;
  else if (outside !== undefined) body.data = outside;
  if (errno !== undefined || row.shape === 'fs') body.errno = errno ?? null;
  if (paths !== undefined || row.shape === 'fs') body.paths = paths ?? [];
  if (vfid !== undefined) body.vfid = vfid;
  if (subpath !== undefined) body.subpath = subpath;
  return body;
}

/** Clients know this sentence; it is only built when the error says which folder and path it is about. */
function outsideMessage(row: ProblemRow, error: StorageError): string | undefined {
  const { vfid, subpath, paths } = error.details;
  const path = subpath ?? paths?.[0];
  const isPlain = row.type === 'storage/subpath/invalid' && row.msg === undefined;
  if (!isPlain || vfid === undefined || path === undefined) return undefined;
  return `Invalid Subpath (vfid=${vfid}, relpath=${path})`;
}
