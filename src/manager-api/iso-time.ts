const NS_PER_SECOND = 1_000_000_000n;
const MS_PER_DAY = 86_400_000;
const SECONDS_PER_DAY = 86_400;
const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));

/** The day that was asked for last: the files of a directory mostly are of few days, and `toISOString` is slow. */
const lastDate = { day: 0, text: '1970-01-01' };

/**
 * Nanoseconds since the epoch as the wire has file times: ISO 8601, UTC, `+00:00`, six fractional digits,
 * the fraction left out when it is exactly zero (protocol section 2.5).
 */
export function isoTime(epochNs: bigint): string {
  const epochSeconds = floorDivide(epochNs, NS_PER_SECOND);
  const micros = Math.floor(Number(epochNs - epochSeconds * NS_PER_SECOND) / 1000);
  const day = Math.floor(Number(epochSeconds) / SECONDS_PER_DAY);
  const seconds = Number(epochSeconds) - day * SECONDS_PER_DAY;
  const hours = TWO_DIGITS[Math.floor(seconds / 3600)];
  const minutes = TWO_DIGITS[Math.floor(seconds / 60) % 60];
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`;
  return `${dateOf(day)}T${hours}:${minutes}:${TWO_DIGITS[seconds % 60]}${fraction}+00:00`;
}

/** The same of a Date. */
export function isoTimeOf(date: Date): string {
  return isoTime(BigInt(date.getTime()) * 1_000_000n);
}

/** @param day since the epoch */
function dateOf(day: number): string {
  if (day !== lastDate.day) {
    lastDate.text = new Date(day * MS_PER_DAY).toISOString().slice(0, 10);
    lastDate.day = day;
  }
  return lastDate.text;
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a >= 0n ? a / b : -((-a + b - 1n) / b);
}
