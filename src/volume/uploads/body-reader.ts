import type { BodySource } from './body-source.js';

/** With so many batches unwritten the socket is no longer read, and TCP tells the client to wait. */
const HIGH_WATER_BATCHES = 2;
const TICK_MS = 250;
/** Without a byte for so long, a client that shall let go is taken to be gone. */
const QUIET_MS = 500;
/** How long a client that keeps sending may go on after it was asked to let go. */
const GRACE_MS = 5_000;

/**
 * How a body ended: `complete`; `broken`, when the connection did or stood still; `surplus`, with more
 * bytes than allowed; `released`, when another request wants the upload.
 */
export type BodyEnd = 'complete' | 'broken' | 'surplus' | 'released';

export interface BodyReaderOptions {
  /** Most bytes that may come. */
  readonly limitBytes: number;
  readonly idleTimeoutMs: number;
}

/** A request body in batches that are worth a write. While one is being written the next one gathers. */
export class BodyReader {
  #chunks: Buffer[] = [];
  #gatheredBytes = 0;
  /** Of the batch that was given out last. */
  #takenBytes = 0;
  #receivedBytes = 0;
  #end: BodyEnd | undefined;
  #wake: (() => void) | undefined;
  #quietMs = 0;
  #receivedAtTick = 0;
  #graceMs = Infinity;
  readonly #ticker: NodeJS.Timeout;
  #cutShort: AbortController | undefined;

  constructor(
    private readonly body: BodySource,
    private readonly options: BodyReaderOptions,
  ) {
    this.#ticker = setInterval(() => this.tick(), TICK_MS);
    body.open({ chunk: (bytes) => this.gather(bytes), end: (how) => this.finish(how) });
  }

  /** How the body ended, once `next` has returned `null`. */
  get end(): BodyEnd | undefined {
    return this.#end;
  }

  /** Aborted when nothing more is to be expected and the body is not complete: its client has gone, or has to go. */
  get cutShort(): AbortSignal {
    this.#cutShort ??= new AbortController();
    if (this.isCutShort) this.#cutShort.abort();
    return this.#cutShort.signal;
  }

  /**
   * The next bytes, or `null` when none are left. They are good until the next call, which is not to be made before
   * this one has resolved.
   */
  async next(): Promise<readonly Buffer[] | null> {
    this.release();
    // One that is paused gathers nothing more, although its share may have grown since.
    const isFull = this.#gatheredBytes >= this.body.batchBytes || this.body.isPaused;
    if (this.#end === undefined && !(isFull && this.#gatheredBytes > 0)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#gatheredBytes === 0) return null;
    const batch = this.#chunks;
    this.#chunks = [];
    this.#takenBytes = this.#gatheredBytes;
    this.#gatheredBytes = 0;
    if (this.#end === undefined && this.body.isPaused) this.body.resume();
    return batch;
  }

  /** Ends the body soon: at once when nothing comes any more, after a moment of grace otherwise. */
  letGo(): void {
    this.#graceMs = Math.min(this.#graceMs, GRACE_MS);
  }

  /** Ends the body at once, without the bytes that were not taken yet. */
  revoke(): void {
    this.drop();
    this.finish('released');
  }

  /** Stops listening. An unfinished body is left paused; its owner discards the rest. May be called again. */
  close(): void {
    clearInterval(this.#ticker);
    this.body.close();
    this.drop();
    this.release();
  }

  private gather(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    this.#chunks.push(chunk);
    this.#gatheredBytes += chunk.length;
    if (this.#receivedBytes > this.options.limitBytes) this.finish('surplus');
    if (this.#end !== undefined) return this.drop();
    const { batchBytes } = this.body;
    if (this.#gatheredBytes >= HIGH_WATER_BATCHES * batchBytes) this.body.pause();
    if (this.#gatheredBytes >= batchBytes) this.wake();
  }

  /** What was given out has been used. */
  private release(): void {
    this.body.release(this.#takenBytes);
    this.#takenBytes = 0;
  }

  /** What was gathered is not wanted any more; what was given out, which is older, goes back with the next `release`. */
  private drop(): void {
    this.#takenBytes += this.#gatheredBytes;
    this.#chunks = [];
    this.#gatheredBytes = 0;
  }

  private get isCutShort(): boolean {
    return this.#end !== undefined && this.#end !== 'complete';
  }

  private finish(end: BodyEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    clearInterval(this.#ticker);
    if (end === 'surplus' || end === 'released') this.body.pause();
    if (this.isCutShort) this.#cutShort?.abort();
    this.wake();
  }

  private wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Passes on what a slow client has sent so far, and notices when nothing comes. */
  private tick(): void {
    const waitsForUs = this.body.isPaused;
    const isQuiet = this.#receivedBytes === this.#receivedAtTick && !waitsForUs;
    this.#receivedAtTick = this.#receivedBytes;
    this.#quietMs = isQuiet ? this.#quietMs + TICK_MS : 0;
    if (this.#gatheredBytes > 0) this.wake();
    if (this.#graceMs !== Infinity) {
      this.#graceMs -= TICK_MS;
      if (this.#graceMs <= 0 || this.#quietMs >= QUIET_MS) return this.finish('released');
    }
    if (this.#quietMs >= this.options.idleTimeoutMs) this.giveUp();
  }

  private giveUp(): void {
    this.finish('broken');
    this.body.destroy();
  }
}
