import { appendFileSync } from 'node:fs';

/**
 * The suite in `test/safety` is short: it runs with every change. `npm run torture -- --minutes N` runs the same
 * tests for longer, and says so in the environment.
 */
const minutes = Number(process.env['TORTURE_MINUTES'] ?? 0);

export const isLongMode = minutes > 0;

/** How long a part of the suite goes on, ms: `shortMs`, or in the long mode its `share` (0…1) of the whole. */
export function budgetMs(shortMs: number, share: number): number {
  return isLongMode ? Math.max(shortMs, minutes * 60_000 * share) : shortMs;
}

/** A deadline for a Jest test that runs for `budget` ms, with time to start and end processes on a busy machine. */
export const testTimeoutMs = (budget: number): number => budget + 180_000;

/** Figures of a part that has run, shown at once and gathered by the long mode. */
export function report(part: string, figures: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  process.stderr.write(`torture: ${part}: ${text.join(', ')}\n`);
  const file = process.env['TORTURE_FIGURES'];
  if (file) appendFileSync(file, `${JSON.stringify({ part, ...figures })}\n`);
}
