import type { ProbeFindings } from './probe-volume.js';
import type { ProbeReport } from './probe-report.js';
import type { ProbeOrder } from './prober.js';

/** A running prober process. */
export interface Prober {
  stop(): void;
}

export interface ProberEvents {
  found(findings: ProbeFindings): void;
  /** The process has ended or could not be started. */
  ended(reason: string): void;
}

export type StartProber = (order: ProbeOrder, events: ProberEvents) => Prober;

export interface ProbeTiming {
  /** Pause between two probes. */
  readonly intervalMs: number;
  /** How long one probe may take. */
  readonly deadlineMs: number;
}

/** How long to wait before a prober that ended is replaced, so that a crashing one does not spin. */
const RESTART_DELAY_MS = 1_000;

/**
 * Keeps one volume under observation. The prober is never waited for: when it is silent for longer than a
 * probe may take, the volume counts as hung until it speaks again, and it is replaced only once it has
 * ended, because a process stuck in a system call may not even be killable.
 */
export class VolumeWatch {
  #report: ProbeReport;
  #prober: Prober | undefined;
  #silence: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #wasMountPoint = false;
  #stopped = false;

  constructor(
    readonly volume: string,
    readonly path: string,
    private readonly timing: ProbeTiming,
    private readonly startProber: StartProber,
    private readonly changed: (report: ProbeReport) => void,
  ) {
    this.#report = this.describe({ outcome: 'pending' });
    this.start();
  }

  get report(): ProbeReport {
    return this.#report;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#silence);
    clearTimeout(this.#restart);
    this.#prober?.stop();
  }

  private start(): void {
    const { path, timing } = this;
    const order = { path, intervalMs: timing.intervalMs, expectMountPoint: this.#wasMountPoint };
    this.expectWord(timing.deadlineMs);
    this.#prober = this.startProber(order, {
      found: (findings) => this.found(findings),
      ended: (reason) => this.ended(reason),
    });
  }

  private found(findings: ProbeFindings): void {
    if (this.#stopped) return;
    const { mounted, readable, writable, message, mountPoint } = findings;
    this.#wasMountPoint ||= mountPoint;
    const outcome = message === null ? 'ok' : 'failed';
    this.expectWord(this.timing.intervalMs + this.timing.deadlineMs);
    this.publish({ outcome, mounted, readable, writable, message });
  }

  private ended(reason: string): void {
    if (this.#stopped) return;
    this.publish({ outcome: 'failed', message: `The prober of the volume ended: ${reason}` });
    this.#restart = setTimeout(() => this.start(), RESTART_DELAY_MS);
  }

  private expectWord(withinMs: number): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      const seconds = this.timing.deadlineMs / 1_000;
      const message = `${this.path}: did not answer within ${seconds} s`;
      this.publish({ outcome: 'hung', message });
    }, withinMs);
  }

  private publish(news: Partial<ProbeReport> & Pick<ProbeReport, 'outcome'>): void {
    this.#report = this.describe(news);
    this.changed(this.#report);
  }

  private describe(news: Partial<ProbeReport> & Pick<ProbeReport, 'outcome'>): ProbeReport {
    const unknown = { mounted: false, readable: false, writable: false, message: null };
    const checkedAt = new Date().toISOString();
    return { ...unknown, ...news, volume: this.volume, checkedAt };
  }
}
