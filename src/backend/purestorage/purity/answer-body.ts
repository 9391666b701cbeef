import type { Answer } from './exchange.js';
import { isJsonObject, textIn, type JsonObject } from './json-view.js';
import { PurityError } from './purity-error.js';
import { parseRetryAfter } from './retrying.js';

const LONGEST_REASON = 200;

/** The JSON object of a good answer. Throws PurityError `refused` for a status that is not, `malformed` for other bodies. */
export function bodyOf(answer: Answer, what: string): JsonObject {
  // 207 is a fleet's partial answer (REST 2.22); without fleets it does not occur, and its items are usable.
  if (answer.status !== 200 && answer.status !== 207) throw refusal(answer, what);
  const body = parse(answer.body);
  if (isJsonObject(body)) return body;
  throw new PurityError('malformed', `the array answered ${what} with something other than JSON`);
}

/** The error that says how the array refused. */
export function refusal({ status, headers, body }: Answer, what: string): PurityError {
  const reason = reasonOf(parse(body));
  const retryAfterMs = parseRetryAfter(headers['retry-after']);
  return new PurityError(
    'refused',
    `the array refused ${what} with status ${status}${reason === null ? '' : `: ${reason}`}`,
    { status, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  );
}

/** 2.x: `{"errors":[{"context":…,"message":…}]}`; 1.x differs between endpoints, mostly `[{"ctx":…,"msg":…}]`. */
function reasonOf(body: unknown): string | null {
  const list = Array.isArray(body) ? body : isJsonObject(body) ? (body['errors'] ?? [body]) : [];
  const first: unknown = Array.isArray(list) ? list[0] : null;
  if (!isJsonObject(first)) return null;
  const text = textIn(first, 'message') ?? textIn(first, 'msg') ?? textIn(first, 'error');
  return text?.replace(/\s+/g, ' ').slice(0, LONGEST_REASON) ?? null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
