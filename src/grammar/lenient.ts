import { GrammarError } from './grammar-error.js';

const TRUE_WORDS: ReadonlySet<string> = new Set(['t', 'true', 'y', 'yes', 'on', '1', '1.0']);
const FALSE_WORDS: ReadonlySet<string> = new Set([
  'f',
  'false',
  'n',
  'no',
  'off',
  '0',
  'none',
  '0.0',
]);

/**
 * The wire's forgiving boolean: `true`, `1`, `"yes"`, `" ON "`, `"0"` and `null` (false) all work.
 *
 * @throws GrammarError for anything else
 */
export function lenientBool(value: unknown): boolean {
  const word = wordOf(value);
  if (TRUE_WORDS.has(word)) return true;
  if (FALSE_WORDS.has(word)) return false;
  throw new GrammarError("value can't be converted to Bool");
}

function wordOf(value: unknown): string {
  if (value === null) return 'none';
  switch (typeof value) {
    case 'string':
      return value.trim().toLowerCase();
    case 'boolean':
    case 'number':
    case 'bigint':
      return String(value);
    default:
      return '';
  }
}

/**
 * The wire's forgiving integer: a JSON integer, or text with a decimal integer, blanks around it allowed.
 * Sign and range are the caller's business. Above 2^53 the result is the nearest double.
 *
 * @throws GrammarError for anything else, booleans and `null` included
 */
export function lenientInt(value: unknown): number {
  const number =
    typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number)) {
    throw new GrammarError("value can't be converted to int");
  }
  return number === 0 ? 0 : number; // never -0
}
