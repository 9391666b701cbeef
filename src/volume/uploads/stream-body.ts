import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { BodySink, BodySource, SourceEnd } from './body-source.js';

/** As much as goes into one write: large enough that the hop to a thread costs nothing beside the copy. */
const MAX_BATCH_BYTES = 1024 * 1024;
/** One read of a socket. */
const MIN_BATCH_BYTES = 64 * 1024;
/**
 * What the batches of all bodies add up to, until there are so many that each has the least. V8 marks its whole
 * heap each time when some 64 MiB of buffers have come and not gone: with a mebibyte for each of 16 bodies that was
 * 40 % of the CPU, with 128 KiB next to nothing.
 */
const ALL_BATCHES_BYTES = 2 * MAX_BATCH_BYTES;

/** Bodies that somebody reads. */
let openBodies = 0;

/** A body that Node's streams deliver: what cannot be read from its socket directly, such as one through TLS. */
export class StreamBody implements BodySource {
  #sink: BodySink | undefined;

  constructor(private readonly stream: Readable) {}

  get batchBytes(): number {
    const share = ALL_BATCHES_BYTES / Math.max(1, openBodies);
    return Math.min(MAX_BATCH_BYTES, Math.max(MIN_BATCH_BYTES, share));
  }

  get isPaused(): boolean {
    return this.stream.isPaused();
  }

  get isComplete(): boolean {
    return (this.stream as Partial<IncomingMessage>).complete ?? this.stream.readableEnded;
  }

  get isDestroyed(): boolean {
    return this.stream.destroyed;
  }

  open(sink: BodySink): void {
    openBodies++;
    this.#sink = sink;
    const { stream } = this;
    stream.on('data', this.#onData).on('end', this.#onEnd);
    stream.on('close', this.#onClose).on('error', this.#onClose);
    if (stream.readableEnded) this.end('complete');
    else if (stream.destroyed) this.end('broken');
    else stream.resume();
  }

  close(): void {
    if (this.#sink === undefined) return;
    openBodies--;
    this.#sink = undefined;
    const { stream } = this;
    stream.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
    if (!stream.readableEnded) stream.pause();
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  /** Each chunk has memory of its own, which the garbage collector finds. */
  release(): void {}

  destroy(): void {
    this.stream.destroy();
  }

  readonly #onData = (chunk: Buffer): void => this.#sink?.chunk(chunk);
  readonly #onEnd = (): void => this.end('complete');
  readonly #onClose = (): void => this.end('broken');

  private end(how: SourceEnd): void {
    this.#sink?.end(how);
  }
}
