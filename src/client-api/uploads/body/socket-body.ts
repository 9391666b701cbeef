import type { BodySink, BodySource } from '../../../volume/uploads/body-source.js';
import { ByteRing } from './byte-ring.js';
import type { BodyBytesReader, TakenConnection } from './taken-connection.js';

/** One read brings at most so much; what a socket holds is seldom more. */
const MAX_READ_BYTES = 256 * 1024;
const READS_PER_BATCH = 2;
/** One is written while the next one comes. */
const BATCHES_PER_RING = 2;

/** A body that comes straight from its socket, into memory that is used again and again. */
export class SocketBody implements BodySource, BodyBytesReader {
  readonly batchBytes: number;
  readonly #ring = ByteRing.take();
  #hasRing = true;
  #sink: BodySink | undefined;
  #isHeadGiven = false;
  #isPaused = false;
  #isClosed = false;
  /** Bytes that have not come yet. */
  #missing: number;
  /** Bytes that the parser had read, in memory of their own, and that are in use. */
  #headInUse = 0;
  #space: Buffer;

  constructor(private readonly connection: TakenConnection) {
    this.batchBytes = this.#ring.sizeBytes / BATCHES_PER_RING;
    this.#missing = connection.restBytes;
    this.#space = this.nextSpace();
    connection.start(this);
  }

  get isPaused(): boolean {
    return this.#isPaused || this.#ring.freeBytes < this.#space.length;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  get isDestroyed(): boolean {
    return this.connection.isDestroyed;
  }

  get space(): Buffer {
    return this.#space;
  }

  open(sink: BodySink): void {
    this.#sink = sink;
    this.#isPaused = false;
    if (!this.#isHeadGiven) this.giveHead(sink);
    if (this.isComplete) sink.end('complete');
    else if (this.isDestroyed) sink.end('broken');
    else this.readOn();
  }

  close(): void {
    this.#sink = undefined;
    this.rest();
  }

  pause(): void {
    this.#isPaused = true;
    this.rest();
  }

  resume(): void {
    this.#isPaused = false;
    this.readOn();
  }

  release(bytes: number): void {
    const ofHead = Math.min(bytes, this.#headInUse);
    this.#headInUse -= ofHead;
    this.#ring.release(bytes - ofHead);
    this.readOn();
    this.giveBackRing();
  }

  destroy(): void {
    this.connection.destroy();
  }

  received(bytes: number): boolean {
    const chunk = this.#space.subarray(0, bytes);
    this.#ring.fill(bytes);
    this.#missing -= bytes;
    this.#space = this.nextSpace();
    if (this.isComplete) this.connection.bodyIsRead();
    this.#sink?.chunk(chunk);
    if (this.isComplete) this.#sink?.end('complete');
    return this.mayRead;
  }

  closed(): void {
    this.#isClosed = true;
    if (!this.isComplete) this.#sink?.end('broken');
    this.giveBackRing();
  }

  /** What is read next overwrites nothing that is in use. */
  private get mayRead(): boolean {
    const isWanted = this.#sink !== undefined && !this.isPaused;
    return isWanted && !this.isComplete && !this.isDestroyed;
  }

  /** Of a complete body: the connection is read for the next request, if at all. */
  private rest(): void {
    if (!this.isComplete) this.connection.pause();
  }

  private readOn(): void {
    if (this.mayRead) this.connection.resume();
  }

  private giveHead(sink: BodySink): void {
    const { head } = this.connection;
    this.#isHeadGiven = true;
    this.#headInUse = head.length;
    if (head.length > 0) sink.chunk(head);
  }

  private nextSpace(): Buffer {
    const most = Math.min(MAX_READ_BYTES, this.batchBytes / READS_PER_BATCH, this.#missing);
    return this.#ring.space(most);
  }

  /**
   * Nothing is read into it any more, and nobody uses what was. A connection that was destroyed is still read until it
   * has closed.
   */
  private giveBackRing(): void {
    if (!this.#hasRing || !this.#ring.isEmpty) return;
    if (!this.isComplete && !this.#isClosed) return;
    this.#hasRing = false;
    this.#ring.giveBack();
  }
}
