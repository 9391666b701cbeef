import type { ErrorCode } from '../errors/error-code.js';
import type { ErrorReason, ErrorSubject } from '../errors/storage-error.js';

/** What an answer is looked up by: the code, and as much of subject and reason as the row needs. */
export type ProblemKey =
  ErrorCode | `${ErrorCode}/${ErrorSubject}` | `${ErrorCode}/${ErrorSubject}/${ErrorReason}`;

/** The keys an error may be listed under, most specific first. */
export function problemKeys(
  code: ErrorCode,
  subject?: ErrorSubject,
  reason?: ErrorReason,
): ProblemKey[] {
  const keys: ProblemKey[] = [code];
  if (subject !== undefined) {
    keys.unshift(`${code}/${subject}`);
    if (reason !== undefined) keys.unshift(`${code}/${subject}/${reason}`);
  }
  return keys;
}
