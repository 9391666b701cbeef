/** How the last question ended, with the last answer that there was. */
export interface Outcome<T> {
  readonly value?: T;
  readonly error?: unknown;
}

/** An answer that is asked for once for everybody who wants it now, and kept for a while. Failures are not kept. */
export class Recent<T> {
  #asking: Promise<T> | undefined;
  #answeredAt = -Infinity;
  #last: Outcome<T> | undefined;

  /** `maxAgeMs` 0 shares only what is under way. */
  constructor(
    private readonly maxAgeMs: number,
    private readonly ask: () => Promise<T>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Undefined until the first question has its answer. */
  get last(): Outcome<T> | undefined {
    return this.#last;
  }

  get(): Promise<T> {
    const { value } = this.#last ?? {};
    if (value !== undefined && this.now() - this.#answeredAt < this.maxAgeMs) {
      return Promise.resolve(value);
    }
    return (this.#asking ??= this.#renew());
  }

  async #renew(): Promise<T> {
    try {
      const value = await this.ask();
      this.#answeredAt = this.now();
      this.#last = { value };
      return value;
    } catch (error) {
      this.#last = { ...this.#last, error };
      throw error;
    } finally {
      this.#asking = undefined;
    }
  }
}
