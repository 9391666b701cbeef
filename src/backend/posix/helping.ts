/**
 * How a walk hands directories to other threads: whoever coordinates offers help, a walk that meets a directory
 * takes an offer and gives the directory away instead of going into it. Memory that all threads of one task
 * share.
 */
export class HelpOffers {
  readonly #offers: Int32Array;

  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#offers = new Int32Array(buffer);
  }

  /** One more directory would be taken. */
  offer(): void {
    Atomics.add(this.#offers, 0, 1);
  }

  /** True when somebody waits for a directory, and now for this one. */
  take(): boolean {
    if (Atomics.load(this.#offers, 0) <= 0) return false;
    if (Atomics.sub(this.#offers, 0, 1) > 0) return true;
    Atomics.add(this.#offers, 0, 1);
    return false;
  }
}
