import type { ProblemKey } from './problem-key.js';

/** `problem`: RFC 9457 media type. `plain`: `application/json`. `fs`: plain, with `errno` and `paths`. */
export type ProblemShape = 'problem' | 'plain' | 'fs';

export interface ProblemRow {
  readonly status: number;
  /** Suffix after `https://api.backend.ai/probs/`. */
  readonly type: string;
  readonly title: string;
  /** `<domain>_<operation>_<detail>`; `{verb}` stands for the verb of the operation. */
  readonly errorCode: string;
  readonly shape: ProblemShape;
  /** Sent instead of the error's own message, where clients know the sentence. */
  readonly msg?: string;
  /** Seconds for `Retry-After` when the error names none. */
  readonly retryAfterSeconds?: number;
}

/** Rows by what they answer. */
export type ProblemRows = Readonly<Partial<Record<ProblemKey, ProblemRow>>>;

/** One row; a function only so that the tables below read as tables. */
export function row(
  status: number,
  type: string,
  title: string,
  errorCode: string,
  extra: { shape?: ProblemShape; msg?: string; retryAfterSeconds?: number } = {},
): ProblemRow {
  return { status, type, title, errorCode, shape: 'problem', ...extra };
}

/** A failed system call on a tenant's entry: always 400, which the manager hands to its user. */
export function fsRow(detail: string, verb = '{verb}'): ProblemRow {
  return row(400, 'storage/fs-error', 'File operation failed', `vfolder_${verb}_${detail}`, {
    shape: 'fs',
  });
}
