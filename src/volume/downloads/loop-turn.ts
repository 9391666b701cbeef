/**
 * The next turn of the event loop, for one at a time: what is done at once in it delays other requests by one such
 * piece of work, however many transfers are under way.
 */
export class LoopTurn {
  #isTaken = false;

  /** Somebody waits for it already. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Resolves in that turn. Only while it is not taken. */
  async take(): Promise<void> {
    this.#isTaken = true;
    await new Promise((resolve) => setImmediate(resolve));
    this.#isTaken = false;
  }
}
