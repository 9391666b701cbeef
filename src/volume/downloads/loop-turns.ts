/**
 * Lets one of those who wait go on in each turn of the event loop, in the order in which they came: what they do at
 * once delays other requests by one such piece of work, however many transfers are under way.
 */
export class LoopTurns {
  readonly #waiting: (() => void)[] = [];

  /** Somebody waits already. */
  get areTaken(): boolean {
    return this.#waiting.length > 0;
  }

  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#next);
    });
  }

  readonly #next = (): void => {
    this.#waiting.shift()?.();
    // An immediate set by an immediate belongs to the next turn.
    if (this.#waiting.length > 0) setImmediate(this.#next);
  };
}
