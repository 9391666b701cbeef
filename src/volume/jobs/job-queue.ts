/** Lets a bounded number of jobs run at a time; the others wait in the order they came. */
export class JobQueue {
  #running = 0;
  #closed = false;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  /** Starts `job` when it is its turn, never after `close`. It must not reject. */
  add(job: () => Promise<void>): void {
    this.#waiting.push(() => {
      this.#running += 1;
      void job().finally(() => {
        this.#running -= 1;
        this.next();
      });
    });
    this.next();
  }

  /** Whoever waits, waits for ever. */
  close(): void {
    this.#closed = true;
  }

  private next(): void {
    if (this.#closed || this.#running >= this.limit) return;
    this.#waiting.shift()?.();
  }
}
