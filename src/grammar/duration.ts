import { GrammarError } from './grammar-error.js';

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const MONTHS_PER_UNIT: Readonly<Record<string, number>> = { mo: 1, yr: 12 };
const DURATION = /^(?<amount>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?<unit>yr|mo|[wdhms])$/;

/**
 * Reads a duration and returns milliseconds.
 *
 * A number, or digits only, is seconds; otherwise a decimal number with a unit: `s`, `m`, `h`, `d`, `w`.
 * Whole numbers of `mo` and `yr` are calendar months and years (UTC) counted from `from`, the day
 * clamped to the month's length; so `1mo` is 28 to 31 days, fixed at the moment of reading.
 *
 * @throws GrammarError when the value is no duration, or is negative
 */
export function parseDuration(value: unknown, from: Date = new Date()): number {
  if (typeof value === 'number') return nonNegative(value * 1_000);
  if (typeof value !== 'string') {
    throw new GrammarError('must be a duration, as a number of seconds or as text');
  }
  const text = value.trim();
  if (/^\d+$/.test(text)) return nonNegative(Number(text) * 1_000);
  const { amount, unit } = DURATION.exec(text)?.groups ?? {};
  if (amount === undefined || unit === undefined) {
    throw new GrammarError('must be a duration: seconds, or a number with s, m, h, d, w, mo or yr');
  }
  const months = MONTHS_PER_UNIT[unit];
  if (months === undefined) return nonNegative(Number(amount) * MS_PER_UNIT[unit]!);
  if (!/^[+-]?\d+$/.test(amount)) {
    throw new GrammarError('must be a whole number of months or years');
  }
  return calendarMonths(nonNegative(Number(amount)) * months, from);
}

function calendarMonths(months: number, from: Date): number {
  const until = new Date(from);
  until.setUTCDate(1);
  until.setUTCMonth(until.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(until.getUTCFullYear(), until.getUTCMonth() + 1, 0));
  until.setUTCDate(Math.min(from.getUTCDate(), lastDay.getUTCDate()));
  return nonNegative(until.getTime() - from.getTime());
}

function nonNegative(amount: number): number {
  if (!Number.isFinite(amount)) throw new GrammarError('is too long a duration');
  if (amount < 0) throw new GrammarError('must not be negative');
  return amount === 0 ? 0 : amount; // never -0
}

const LARGEST_FIRST = Object.entries(MS_PER_UNIT).toReversed();

/** The shortest exact text: `90s`, `24h` as `1d`; fractions of a second stay decimal, `0.25s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const [unit, size] = LARGEST_FIRST.find(([, size]) => ms % size === 0) ?? ['s', 1_000];
  return `${ms / size}${unit}`;
}
