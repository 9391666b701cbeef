/**
 * Why a call of the array failed, by what an operator would do about it:
 * `unreachable` – no answer, or none in time; `certificate` – the TLS peer is not trusted; `token` – the API token
 * is not accepted; `refused` – the array answered with an error status; `malformed` – not the documented answer.
 */
export type PurityFailure = 'unreachable' | 'certificate' | 'token' | 'refused' | 'malformed';

export interface PurityErrorFacts {
  /** Of the HTTP answer, where there was one. */
  readonly status?: number;
  /** Retry no earlier than this, as the array asked. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** Statuses of an array, or of a proxy before it, that pass by themselves. */
const PASSING = new Set([429, 500, 502, 503, 504]);

/** A failed call of the array. The message is a clause without secrets: "the array at … does not answer (ECONNREFUSED)". */
export class PurityError extends Error {
  override readonly name = 'PurityError';
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly failure: PurityFailure,
    message: string,
    { status, retryAfterMs, cause }: PurityErrorFacts = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same call may well succeed later, with nothing mended. */
  get passesByItself(): boolean {
    if (this.failure === 'unreachable') return true;
    return this.status !== undefined && PASSING.has(this.status);
  }
}
