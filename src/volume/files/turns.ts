/** Lets no more than `limit` works run at once; the others wait, first come, first served. */
export class Turns {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running < this.limit) this.#running += 1;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // A turn that is handed on goes on running.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
