import type { Readable } from 'node:stream';

/** As much as goes into one write: large enough that the hop to a thread costs nothing beside the copy. */
const MAX_BATCH_BYTES = 1024 * 1024;
/** One read of a socket. */
const MIN_BATCH_BYTES = 64 * 1024;
/**
 * What the batches of all bodies add up to, until there are so many that each has the least. V8 marks its whole heap each time when some 64 MiB of buffers have come
 * and not gone: with a mebibyte for each of 16 bodies that was 40 % of the CPU, with 128 KiB next to nothing.
 */
const ALL_BATCHES_BYTES = 2 * MAX_BATCH_BYTES;
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

/** Bodies that are being read. */
let openReaders = 0;

/**
 * A request body in batches of up to about a mebibyte, read from the stream's own events: no further stream
 * stands between the socket and the disk. While one batch is being written the next one gathers.
 */
export class BodyReader {
  #chunks: Buffer[] = [];
  #gatheredBytes = 0;
  #receivedBytes = 0;
  #end: BodyEnd | undefined;
  #wake: (() => void) | undefined;
  #quietMs = 0;
  #receivedAtTick = 0;
  #graceMs = Infinity;
  #isOpen = true;
  readonly #ticker: NodeJS.Timeout;
  readonly #cutShort = new AbortController();

  constructor(
    private readonly body: Readable,
    private readonly options: BodyReaderOptions,
  ) {
    openReaders++;
    body.on('data', this.#onData).on('end', this.#onEnd);
    body.on('close', this.#onClose).on('error', this.#onClose);
    this.#ticker = setInterval(() => this.tick(), TICK_MS);
    if (body.readableEnded) this.finish('complete');
    else if (body.destroyed) this.finish('broken');
  }

  /** How the body ended, once `next` has returned `null`. */
  get end(): BodyEnd | undefined {
    return this.#end;
  }

  /** Aborted when nothing more is to be expected and the body is not complete: its client has gone, or has to go. */
  get cutShort(): AbortSignal {
    return this.#cutShort.signal;
  }

  /** The next bytes, or `null` when none are left. Not to be called again before it has resolved. */
  async next(): Promise<readonly Buffer[] | null> {
    // One that is paused gathers nothing more, although its share may have grown since.
    const isFull = this.#gatheredBytes >= batchBytes() || this.body.isPaused();
    if (this.#end === undefined && !(isFull && this.#gatheredBytes > 0)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#gatheredBytes === 0) return null;
    const batch = this.#chunks;
    this.#chunks = [];
    this.#gatheredBytes = 0;
    if (this.#end === undefined && this.body.isPaused()) this.body.resume();
    return batch;
  }

  /** Ends the body soon: at once when nothing comes any more, after a moment of grace otherwise. */
  letGo(): void {
    this.#graceMs = Math.min(this.#graceMs, GRACE_MS);
  }

  /** Ends the body at once, without the bytes that were not taken yet. */
  revoke(): void {
    this.#chunks = [];
    this.#gatheredBytes = 0;
    this.finish('released');
  }

  /** Stops listening. An unfinished body is left paused; its owner discards the rest. */
  close(): void {
    if (this.#isOpen) openReaders--;
    this.#isOpen = false;
    clearInterval(this.#ticker);
    this.body.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
    if (!this.body.readableEnded) this.body.pause();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > this.options.limitBytes) return this.finish('surplus');
    this.#chunks.push(chunk);
    this.#gatheredBytes += chunk.length;
    const batch = batchBytes();
    if (this.#gatheredBytes >= HIGH_WATER_BATCHES * batch) this.body.pause();
    if (this.#gatheredBytes >= batch) this.wake();
  };

  readonly #onEnd = (): void => this.finish('complete');
  readonly #onClose = (): void => this.finish('broken');

  private finish(end: BodyEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    clearInterval(this.#ticker);
    if (end === 'surplus' || end === 'released') this.body.pause();
    if (end !== 'complete') this.#cutShort.abort();
    this.wake();
  }

  private wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Passes on what a slow client has sent so far, and notices when nothing comes. */
  private tick(): void {
    const waitsForUs = this.body.isPaused();
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

/** What one body gathers before it is written, in bytes: its share of what all may. */
function batchBytes(): number {
  const share = ALL_BATCHES_BYTES / Math.max(1, openReaders);
  return Math.min(MAX_BATCH_BYTES, Math.max(MIN_BATCH_BYTES, share));
}
