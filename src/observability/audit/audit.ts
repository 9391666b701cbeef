import { loggerFor } from '../logger.js';
import { countAudit } from '../metrics.js';
import { redact } from '../redact.js';
import { auditLine, type AuditEntry } from './audit-record.js';
import { LineWriter } from './line-writer.js';

const log = loggerFor('audit');
/** A sink that fails says so this often, however many records it loses. */
const COMPLAIN_EVERY_MS = 10_000;

export interface AuditOptions {
  readonly sink: 'stdout' | 'file' | 'off';
  /** For the sink `file`. */
  readonly file?: string | undefined;
  /** Also operations that change nothing but hand content out. */
  readonly reads: boolean;
  /** The worker's number. */
  readonly worker: number;
}

/** The audit trail of one process. Records are numbered, so that a reader sees when some are missing. */
class AuditTrail {
  readonly #writer: LineWriter;
  #seq = 0;
  #lost = 0;
  #complainedAt = -Infinity;

  /** @throws Error of the system when the file cannot be opened */
  constructor(private readonly options: AuditOptions) {
    this.#writer = new LineWriter({
      file: options.sink === 'file' ? (options.file ?? null) : null,
      onLoss: (lines, error) => this.lost(lines, error),
    });
  }

  get reads(): boolean {
    return this.options.reads;
  }

  record(entry: AuditEntry): void {
    if (this.#lost > 0) this.confess();
    if (this.write(entry)) countAudit('written', 1);
  }

  reopen(): Promise<void> {
    return this.#writer.reopen();
  }

  flush(): Promise<void> {
    return this.#writer.flush();
  }

  flushNow(): void {
    this.#writer.flushNow();
  }

  private write(entry: AuditEntry): boolean {
    this.#seq += 1;
    const line = auditLine(entry, { worker: this.options.worker, seq: this.#seq });
    return this.#writer.write(`${redact(line)}\n`);
  }

  /** As soon as there is room again, the trail itself says what it lacks. */
  private confess(): void {
    const details = { lost: this.#lost };
    const written = this.write({
      plane: 'background',
      operation: 'audit.lost',
      result: 'failed',
      durationMs: 0,
      details,
    });
    if (written) this.#lost = 0;
  }

  private lost(records: number, error?: NodeJS.ErrnoException): void {
    this.#lost += records;
    countAudit('lost', records);
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
    this.#complainedAt = now;
    const reason = error?.message ?? 'the sink is too slow';
    log.error('Audit records are being lost', { records, reason });
  }
}

let trail: AuditTrail | undefined;

/** Begins the audit trail of this process. @throws Error when its file cannot be opened */
export function configureAudit(options: AuditOptions): void {
  trail = options.sink === 'off' ? undefined : new AuditTrail(options);
}

/** Leaves a record; never waits and never throws. */
export function audit(entry: AuditEntry): void {
  trail?.record(entry);
}

/** Whether operations that change nothing are recorded as well. */
export function auditsReads(): boolean {
  return trail?.reads ?? false;
}

/** After the file was rotated away. A failure is logged; records then go on into the old one. */
export async function reopenAudit(): Promise<void> {
  try {
    await trail?.reopen();
  } catch (error) {
    log.error('The audit file cannot be opened again', { err: error });
  }
}

/** Resolves when every record so far is written, or after `deadlineMs`. */
export async function flushAudit(deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
  await Promise.race([trail?.flush(), late]);
  clearTimeout(timer);
}

/** The same at once, for a process that has failed. */
export function flushAuditNow(): void {
  trail?.flushNow();
}
