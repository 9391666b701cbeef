import { StorageError } from '../errors/storage-error.js';

export interface BulkheadGauges {
  readonly limit: number;
  readonly inFlight: number;
  readonly waiting: number;
  /** Operations since the start for which no slot came free, or that did not end in time. */
  readonly refused: number;
}

/** Bursts of a busy manager pass on a loaded disk; a client that waits longer is better told to retry. */
const DEFAULT_PATIENCE_MS = 5_000;

export interface BulkheadOptions {
  /** How long `run` waits for a slot before it gives up, ms. */
  readonly patienceMs?: number;
  /** Told of every refusal and missed deadline, for metrics. */
  readonly onRefusal?: () => void;
}

/**
 * One volume's share of the process. libuv's pool is shared by all file I/O, and a call on a hung mount
 * never comes back: without a bound, one sick volume would take every thread. So each call on a volume
 * takes a slot, and gives it back only when it has really ended, whatever its caller has given up on.
 *
 * `work` must not take a second slot of the same bulkhead: a full house would wait for itself.
 */
export class Bulkhead {
  #inFlight = 0;
  #refused = 0;
  /** Who waits, in order of arrival. Metadata operations and transfer calls take turns when both do. */
  readonly #operations = new Set<() => void>();
  readonly #transfers = new Set<() => void>();
  #transferIsNext = false;
  readonly #drained = new Set<() => void>();

  constructor(
    readonly volume: string,
    readonly limit: number,
    private readonly options: BulkheadOptions = {},
  ) {}

  /**
   * One operation that its caller waits for.
   *
   * @throws StorageError UNAVAILABLE naming the volume, when no slot comes free within `patienceMs`, or when
   *   `work` has not ended after `deadlineMs`; the slot then stays taken until it has
   */
  async run<T>(operation: string, work: () => Promise<T>, deadlineMs: number): Promise<T> {
    await this.enterOrRefuse(operation);
    const running = this.occupy(work);
    return await this.withDeadline(operation, running, deadlineMs);
  }

  /**
   * One blocking call of a transfer. It waits for its slot in order, however long that takes; `signal`
   * ends the waiting (with the signal's reason), not the call.
   */
  async io<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (!this.tryEnter()) await this.wait(this.#transfers, signal);
    return await this.occupy(work);
  }

  get gauges(): BulkheadGauges {
    return {
      limit: this.limit,
      inFlight: this.#inFlight,
      waiting: this.#operations.size + this.#transfers.size,
      refused: this.#refused,
    };
  }

  /** Resolves when nothing is in flight, or after `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#drained.delete(done);
        resolve();
      };
      const timer = setTimeout(done, deadlineMs);
      this.#drained.add(done);
    });
  }

  private async occupy<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  private tryEnter(): boolean {
    if (this.#inFlight >= this.limit) return false;
    this.#inFlight += 1;
    return true;
  }

  private async enterOrRefuse(operation: string): Promise<void> {
    if (this.tryEnter()) return;
    const { patienceMs = DEFAULT_PATIENCE_MS } = this.options;
    const impatience = new AbortController();
    const timer = setTimeout(() => {
      this.refuse();
      impatience.abort(this.exhausted(operation));
    }, patienceMs);
    try {
      await this.wait(this.#operations, impatience.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when a slot was handed over. */
  private wait(queue: Set<() => void>, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        queue.delete(admit);
        reject(signal?.reason as Error);
      };
      const admit = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      queue.add(admit);
    });
  }

  /** The slot goes to whoever waits, without becoming free in between: newcomers cannot overtake. */
  private leave(): void {
    const admit = this.takeNext();
    if (admit === undefined) this.#inFlight -= 1;
    if (admit) admit();
    else if (this.#inFlight === 0) for (const done of this.#drained) done();
  }

  private takeNext(): (() => void) | undefined {
    const order = this.#transferIsNext
      ? [this.#transfers, this.#operations]
      : [this.#operations, this.#transfers];
    const queue = order.find((waiting) => waiting.size > 0);
    if (queue === undefined) return undefined;
    this.#transferIsNext = queue === this.#operations;
    const [admit] = queue;
    queue.delete(admit!);
    return admit;
  }

  /** Every operation passes here, so no promise is made that need not be: racing two would take four. */
  private withDeadline<T>(operation: string, running: Promise<T>, deadlineMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.refuse();
        reject(this.late(operation, deadlineMs));
      }, deadlineMs);
      const settling =
        <Outcome>(settle: (outcome: Outcome) => void) =>
        (outcome: Outcome): void => {
          clearTimeout(timer);
          settle(outcome);
        };
      running.then(settling(resolve), settling(reject));
    });
  }

  private refuse(): void {
    this.#refused += 1;
    this.options.onRefusal?.();
  }

  private exhausted(operation: string): StorageError {
    return new StorageError(
      'UNAVAILABLE',
      `volume "${this.volume}" is busy: all ${this.limit} calls it may have in flight are taken (${operation})`,
      { subject: 'volume', volume: this.volume },
    );
  }

  private late(operation: string, deadlineMs: number): StorageError {
    return new StorageError(
      'UNAVAILABLE',
      `volume "${this.volume}" did not answer within ${deadlineMs / 1000} s (${operation})`,
      { subject: 'volume', volume: this.volume },
    );
  }
}
