import { dieWithParent } from '../../native/parent-death.js';
import { flushLogs } from '../../observability/logger.js';

/** Ends this process for certain: `process.exit()` waits for pool threads, and one may be stuck in a volume. */
export function endNow(): void {
  flushLogs();
  process.kill(process.pid, 'SIGKILL');
}

/** Ties this process to the primary's life, and leaves it to the primary when to end. */
export function obeyPrimary(): void {
  dieWithParent();
  // A terminal and a service manager signal the whole group; the primary then says what to do.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => undefined);
  }
  process.once('disconnect', endNow);
}

/** Completes {@link obeyPrimary}: the primary may have died before its death could be watched. */
export function assertPrimaryLives(primaryPid: number): void {
  if (process.ppid !== primaryPid) endNow();
}
