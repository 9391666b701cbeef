import { setTimeout as sleep } from 'node:timers/promises';
import { PurityError } from './purity-error.js';

const ATTEMPTS = 3;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;

/** Full jitter: the workers of a host, and the hosts of a cluster, must not come back all at once. */
export function retryDelayMs(attempt: number, random: () => number = Math.random): number {
  return Math.round(random() * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt));
}

/**
 * `Retry-After` in milliseconds: seconds or an HTTP date (RFC 9110, section 10.2.3); undefined when there is none.
 */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/**
 * Runs a call that may be repeated, up to three times, waiting longer each time; no wait is longer than five
 * seconds, whatever the array asks for, since somebody waits for the answer.
 */
export async function retrying<T>(call: () => Promise<T>, random?: () => number): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt + 1 >= ATTEMPTS || !passesByItself(error)) throw error;
      const asked = error.retryAfterMs ?? 0;
      await sleep(Math.min(LONGEST_DELAY_MS, Math.max(asked, retryDelayMs(attempt, random))));
    }
  }
}

function passesByItself(error: unknown): error is PurityError {
  return error instanceof PurityError && error.passesByItself;
}
