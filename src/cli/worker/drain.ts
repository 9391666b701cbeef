import { setTimeout as sleep } from 'node:timers/promises';

/** What a listener must offer to end politely. */
export interface Drainable {
  /** Answers from now on tell clients to connect elsewhere; connections are still taken. */
  discourage(): void;
  /** Takes no more connections. */
  close(): void;
  /** Resolves when no request is being served, or after `timeoutMs`; tells which. */
  settled(timeoutMs: number): Promise<boolean>;
}

export interface DrainSteps {
  /** Listeners that do work; they end first. */
  readonly planes: readonly Drainable[];
  /** Fails readiness. */
  readonly draining: () => void;
  /** Asks background work to come to a stopping point. */
  readonly quiesce: () => Promise<void>;
}

export interface DrainTimes {
  /** How long listeners stay open while readiness already fails. */
  readonly delayMs: number;
  /** How long running requests may go on after that. */
  readonly timeoutMs: number;
}

/**
 * Ends what a worker does, politely: readiness fails first, so that load balancers look elsewhere; after the
 * delay no connection is taken any more; running requests finish. Tells whether all of them did.
 */
export async function drain(steps: DrainSteps, times: DrainTimes): Promise<boolean> {
  steps.draining();
  for (const plane of steps.planes) plane.discourage();
  if (times.delayMs > 0) await sleep(times.delayMs);
  for (const plane of steps.planes) plane.close();
  const [quiet] = await Promise.all([
    Promise.all(steps.planes.map((plane) => plane.settled(times.timeoutMs))),
    steps.quiesce(),
  ]);
  return quiet.every(Boolean);
}
