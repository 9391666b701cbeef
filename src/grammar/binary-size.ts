import { GrammarError } from './grammar-error.js';

const INFINITY_WORD = /^(?:inf|infinite|infinity)$/i;
const INTEGER = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** In the order in which they are tried: the longest first, so that `ibytes` is not read as `b` + rest. */
const ENDINGS = ['ibytes', 'ibyte', 'ib', 'bytes', 'byte', 'b'] as const;
/** The position is the power of 1024; a single blank stands for plain bytes, as in `5 b`. */
const SCALES = ' kmgtpezy';

export interface BinarySizeOptions {
  /** Accept `inf`, `infinite` and `infinity` and return `Infinity` for them. Default: false. */
  readonly allowInfinity?: boolean;
}

/**
 * Reads a size such as `1024`, `100g` or `1.5 GiB` and returns whole bytes, fractions cut off.
 *
 * Scales are powers of 1024 whatever the ending, so `10k`, `10kb` and `10KiB` are the same. The result
 * may be negative; callers that want a length must check. Above 2^53 it is the nearest double.
 *
 * @throws GrammarError when the value is no size, or infinite where that is not allowed
 */
export function parseBinarySize(value: unknown, options: BinarySizeOptions = {}): number {
  const text = textOf(value);
  if (INFINITY_WORD.test(text)) {
    if (options.allowInfinity) return Infinity;
    throw new GrammarError('must be a finite size');
  }
  const digits = text.trim().replaceAll('_', '');
  if (INTEGER.test(digits)) return finite(Number(digits));
  // `2.0` is two bytes, `1.5` is refused further down: there is no half byte.
  if (digits.includes('.') && DECIMAL.test(digits) && Number.isInteger(Number(digits))) {
    return finite(Number(digits));
  }
  return parseScaled(digits.toLowerCase());
}

function parseScaled(text: string): number {
  const ending = ENDINGS.find((candidate) => text.endsWith(candidate));
  const rest = ending === undefined ? text : text.slice(0, -ending.length);
  const scale = rest.slice(-1);
  const amount = rest.slice(0, -1).trim();
  const power = scale === '' ? -1 : SCALES.indexOf(scale);
  if (power === -1 || !DECIMAL.test(amount)) {
    throw new GrammarError('must be a size in bytes, such as 1048576, "512k", "1.5 GiB" or "100g"');
  }
  // Exact: a double times a power of two, and a whole result below 2^53 has an exact double as factor.
  return finite(Math.trunc(Number(amount) * 1024 ** power));
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return value.toString();
  // Not String(value): it writes 1e21 for large integers.
  if (typeof value === 'number') {
    return Number.isInteger(value) ? BigInt(value).toString() : String(value);
  }
  throw new GrammarError('must be a size, as a number of bytes or as text');
}

function finite(bytes: number): number {
  if (!Number.isFinite(bytes)) throw new GrammarError('is too large');
  return bytes === 0 ? 0 : bytes; // never -0
}

/** `1 byte`, `512 bytes`, `1.46 KiB`: at most two decimals, no trailing zeros. */
export function formatBinarySize(bytes: number): string {
  const { amount, power } = scaleDown(bytes);
  if (power === 0) return `${amount} ${bytes === 1 ? 'byte' : 'bytes'}`;
  return `${amount} ${SCALES.charAt(power).toUpperCase()}iB`;
}

/** `512`, `1.46k`, `100g`: as operators write sizes in the configuration. */
export function formatBinarySizeShort(bytes: number): string {
  const { amount, power } = scaleDown(bytes);
  return power === 0 ? amount : `${amount}${SCALES.charAt(power)}`;
}

function scaleDown(bytes: number): { amount: string; power: number } {
  let amount = bytes;
  let power = 0;
  while (amount >= 1024 && power < SCALES.length - 1) {
    amount /= 1024;
    power += 1;
  }
  return { amount: String(Number(amount.toFixed(2))), power };
}
