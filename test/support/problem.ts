import type { Answer } from './http.js';

const TYPE_BASE = 'https://api.backend.ai/probs/';

/** The words that managers know in each part of an `error_code` (protocol section 5.3). */
const DOMAINS = 'storage-proxy|storage|vfolder|quota-scope|api|auth|bgtask|backendai';
const OPERATIONS =
  'generic|create|access|read|update|start|soft-delete|purge|list-query|auth|hook|request|parsing|execute|schedule|setup|grant|check-limit';
const DETAILS =
  'bad-request|not-found|gone|conflict|already-exists|invalid-parameters|data-expired|forbidden|unauthorized|incomplete-user-profile|not-ready|invalid-data-format|internal-error|unavailable|unreachable|task-timeout|canceled|not-implemented|deprecated|mismatch|timeout|content-type-mismatch';
const ERROR_CODE = new RegExp(`^(${DOMAINS})_(${OPERATIONS})_(${DETAILS})$`);

export interface ExpectedProblem {
  /** After `https://api.backend.ai/probs/`. */
  readonly type?: string;
  readonly title?: unknown;
  readonly msg?: unknown;
  readonly error_code?: string;
  readonly data?: unknown;
  readonly errno?: unknown;
  readonly paths?: unknown;
  readonly vfid?: unknown;
  readonly subpath?: unknown;
}

/**
 * An error as every manager can read it: JSON, with `type`, `title`, `msg` and an `error_code` out of words
 * that they know; beyond that, what is named.
 */
export function expectProblem(
  answer: Answer,
  status: number,
  expected: ExpectedProblem = {},
): void {
  const { type, ...rest } = expected;
  expect({ status: answer.status, body: answer.json }).toMatchObject({
    status,
    body: {
      ...rest,
      ...(type !== undefined && { type: TYPE_BASE + type }),
    },
  });
  expect(answer.headers['content-type']).toMatch(/^application\/(problem\+)?json; charset=utf-8$/);
  expect(answer.json).toMatchObject({
    type: expect.stringContaining(TYPE_BASE) as string,
    title: expect.stringMatching(/./) as string,
    msg: expect.stringMatching(/./) as string,
    error_code: expect.stringMatching(ERROR_CODE) as string,
  });
}

/** For table rows whose answers differ in nothing but these. */
export const INVALID_PARAMETERS = {
  type: 'storage/invalid-api-params',
  title: 'Invalid API parameters',
} as const;
