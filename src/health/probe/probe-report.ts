/** What is known of a volume's health, as relayed to every worker. */
export interface ProbeReport {
  readonly volume: string;
  /**
   * `pending`: not looked at yet. `ok`: written, read and removed a file. `failed`: something did not work.
   * `hung`: no answer within the deadline.
   */
  readonly outcome: 'pending' | 'ok' | 'failed' | 'hung';
  readonly mounted: boolean;
  readonly readable: boolean;
  readonly writable: boolean;
  /** What is wrong, for an operator. */
  readonly message: string | null;
  /** ISO 8601, UTC: when the outcome was found. */
  readonly checkedAt: string;
}

/** Whether requests to the volume have a chance; a full or read-only one still serves what is on it. */
export function isServiceable(report: ProbeReport): boolean {
  if (report.outcome === 'failed') return report.mounted && report.readable;
  return report.outcome !== 'hung';
}
