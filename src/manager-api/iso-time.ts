const NS_PER_US = 1000n;
const US_PER_SECOND = 1_000_000n;

/**
 * Nanoseconds since the epoch as the wire has file times: ISO 8601, UTC, `+00:00`, six fractional digits,
 * the fraction left out when it is exactly zero (protocol section 2.5).
 */
export function isoTime(epochNs: bigint): string {
  const epochUs = floorDivide(epochNs, NS_PER_US);
  const seconds = floorDivide(epochUs, US_PER_SECOND);
  const micros = epochUs - seconds * US_PER_SECOND;
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = micros === 0n ? '' : `.${micros.toString().padStart(6, '0')}`;
  return `${date}${fraction}+00:00`;
}

/** The same of a Date. */
export function isoTimeOf(date: Date): string {
  return isoTime(BigInt(date.getTime()) * 1_000_000n);
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a >= 0n ? a / b : -((-a + b - 1n) / b);
}
