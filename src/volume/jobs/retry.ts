const FIRST_DELAY_MS = 1_000;
const LAST_DELAY_MS = 300_000;

/**
 * How long to wait after the `failures`-th failure in a row: doubling from one second to five minutes, with a
 * fifth of jitter, so that the workers of a cluster do not come back to a recovered array all at once.
 */
export function retryDelayMs(failures: number, random = Math.random): number {
  const delayMs = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, failures - 1));
  return Math.round(delayMs * (0.8 + random() * 0.4));
}
