export interface BackoffOptions {
  readonly firstMs: number;
  readonly longestMs: number;
  /** How long it must have gone well for the next failure to count as the first again. */
  readonly forgetAfterMs: number;
}

/** Growing pauses between attempts at something that keeps failing. */
export class Backoff {
  #failures = 0;

  constructor(private readonly options: BackoffOptions) {}

  /** The pause before the next attempt, after one that lasted `lastedMs`. */
  next(lastedMs: number): number {
    const { firstMs, longestMs, forgetAfterMs } = this.options;
    if (lastedMs >= forgetAfterMs) this.#failures = 0;
    const pauseMs = Math.min(longestMs, firstMs * 2 ** this.#failures);
    this.#failures += 1;
    return pauseMs;
  }
}
