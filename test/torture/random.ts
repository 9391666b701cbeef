import { randomInt } from 'node:crypto';

/** The seed of this run: from the environment in order to repeat one, else new. It is in every report. */
export const SEED = Number(process.env['TORTURE_SEED'] ?? randomInt(2 ** 31));

/** A generator of its own for each purpose, so that one purpose drawing more does not change what another gets. */
export class Random {
  #state: number;

  constructor(purpose: string, seed = SEED) {
    this.#state = seed >>> 0;
    for (const char of purpose) this.#state = Math.imul(this.#state ^ char.charCodeAt(0), 16777619);
  }

  /** In [0, 1); mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number of `low`…`high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.between(0, values.length - 1)]!;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }
}
