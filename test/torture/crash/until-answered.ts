import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../wire.js';

export const ATTEMPT_PAUSE_MS = 50;
/** Longer than any restart takes, without another. */
export const PATIENCE_MS = 120_000;

/** No answer; a server that is not ready; a balancer whose server died in the middle, or that finds none. */
export function isPassing(status: number): boolean {
  return [0, 502, 503, 504].includes(status);
}

/** Asks again while the server is away. Rejects with any other answer than the one expected. */
export async function untilAnswered(status: number, ask: () => Promise<Outcome>): Promise<Outcome> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const outcome = await ask();
    if (outcome.status === status) return outcome;
    if (!isPassing(outcome.status) || Date.now() > deadline) {
      throw new Error(`${outcome.status} instead of ${status}: ${outcome.bytes.toString()}`);
    }
    await sleep(ATTEMPT_PAUSE_MS);
  }
}
