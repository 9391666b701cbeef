const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const IMF_FIXDATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC850_DATE = /^[A-Z][a-z]+day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME_DATE = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/**
 * Seconds since the epoch of an HTTP-date in any of its three forms (RFC 9110, section 5.6.7), or
 * undefined for anything else: a condition with an invalid date is ignored.
 */
export function parseHttpDate(text: string): number | undefined {
  const imf = IMF_FIXDATE.exec(text);
  if (imf) return seconds(imf[3]!, imf[2]!, imf[1]!, imf.slice(4));
  const rfc850 = RFC850_DATE.exec(text);
  if (rfc850) return seconds(fullYear(rfc850[3]!), rfc850[2]!, rfc850[1]!, rfc850.slice(4));
  const asctime = ASCTIME_DATE.exec(text);
  if (asctime) return seconds(asctime[6]!, asctime[1]!, asctime[2]!, asctime.slice(3, 6));
  return undefined;
}

/** IMF-fixdate of a time in nanoseconds since the epoch; the fraction of a second is cut off. */
export function formatHttpDate(timeNs: bigint): string {
  return new Date(secondsOf(timeNs) * 1000).toUTCString();
}

/** Whole seconds since the epoch, rounded down also before 1970. */
export function secondsOf(timeNs: bigint): number {
  const whole = timeNs / 1_000_000_000n;
  return Number(timeNs < 0n && whole * 1_000_000_000n !== timeNs ? whole - 1n : whole);
}

/** RFC 9110: a two-digit year that appears to be more than 50 years ahead is in the past. */
function fullYear(twoDigits: string): string {
  const current = new Date().getUTCFullYear();
  const year = current - (current % 100) + Number(twoDigits);
  return String(year > current + 50 ? year - 100 : year);
}

function seconds(
  year: string,
  monthName: string,
  day: string,
  clock: readonly string[],
): number | undefined {
  const month = MONTHS.indexOf(monthName);
  const [hour, minute, second] = clock.map(Number) as [number, number, number];
  if (month < 0 || hour > 23 || minute > 59 || second > 60) return undefined;
  const date = new Date(Date.UTC(Number(year), month, Number(day), hour, minute, second));
  // 31 February would roll over into March.
  return date.getUTCMonth() === month || second === 60 ? date.getTime() / 1000 : undefined;
}
