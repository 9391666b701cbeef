import { parseHttpDate, secondsOf } from './http-date.js';

/** What tells one state of a file from another. */
export interface Validators {
  /** Strong entity tag with its quotes. */
  readonly etag: string;
  readonly mtimeNs: bigint;
}

/** The conditional headers of a request, as Node gives them. */
export interface ConditionalHeaders {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
  readonly 'if-modified-since'?: string | undefined;
  readonly 'if-unmodified-since'?: string | undefined;
  readonly 'if-range'?: string | string[] | undefined;
}

export type Precondition = 'proceed' | 'not-modified' | 'failed';

/**
 * Evaluates the preconditions of a GET or HEAD on an existing file in the order of RFC 9110, section
 * 13.2.2: the entity tag of a pair wins over its date. `If-Range` comes after, see `rangeStillApplies`.
 */
export function evaluatePreconditions(
  headers: ConditionalHeaders,
  current: Validators,
): Precondition {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined) {
    if (!matchesAny(ifMatch, current.etag, isStrongMatch)) return 'failed';
  } else if (isModifiedSince(headers['if-unmodified-since'], current)) {
    return 'failed';
  }

  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) {
    return matchesAny(ifNoneMatch, current.etag, isWeakMatch) ? 'not-modified' : 'proceed';
  }
  return isModifiedSince(headers['if-modified-since'], current) === false
    ? 'not-modified'
    : 'proceed';
}

/**
 * Whether a `Range` is honoured under the request's `If-Range` (RFC 9110, section 13.1.5). The tag must
 * match strongly, the date exactly: a file replaced by one with an older time has changed as well.
 */
export function rangeStillApplies(headers: ConditionalHeaders, current: Validators): boolean {
  const ifRange = headers['if-range'];
  if (ifRange === undefined) return true;
  if (typeof ifRange !== 'string') return false;
  if (ifRange.includes('"')) return isStrongMatch(ifRange.trim(), current.etag);
  return parseHttpDate(ifRange.trim()) === secondsOf(current.mtimeNs);
}

/** undefined when there is no such condition: the header is missing or holds no date. */
function isModifiedSince(header: string | undefined, current: Validators): boolean | undefined {
  const since = header === undefined ? undefined : parseHttpDate(header.trim());
  return since === undefined ? undefined : secondsOf(current.mtimeNs) > since;
}

const ENTITY_TAG = /\s*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)/y;

/** `*`, or any tag of the list. What follows something that is not a tag is not read. */
function matchesAny(
  header: string,
  etag: string,
  matches: (listed: string, etag: string) => boolean,
): boolean {
  if (header.trim() === '*') return true;
  ENTITY_TAG.lastIndex = 0;
  for (let tag = ENTITY_TAG.exec(header); tag; tag = ENTITY_TAG.exec(header)) {
    if (matches(tag[1]!, etag)) return true;
  }
  return false;
}

/** RFC 9110, section 8.8.3.2; ours is always strong, so a weak one never equals it. */
function isStrongMatch(listed: string, etag: string): boolean {
  return listed === etag;
}

function isWeakMatch(listed: string, etag: string): boolean {
  return listed.replace(/^W\//, '') === etag;
}
