/** Takes the archive's bytes in order; resolves when it wants more. The buffers are not touched afterwards. */
export type ZipSink = (chunks: readonly Buffer[]) => Promise<void>;

/** Enough for one write: many entries are a few hundred bytes. */
const WRITE_BYTES = 64 * 1024;
/** Up to here copying costs less than one more chunk to hand on. */
const COPIED_BYTES = 4 * 1024;

/** Gathers the small parts of an archive into few writes. */
export class ZipOutput {
  /** Bytes of the archive so far, written or not. */
  offset = 0;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Where small parts are put together: full up to `#end`, taken into `#chunks` up to `#start`. */
  #page = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  constructor(private readonly sink: ZipSink) {}

  /** `part` may not be touched afterwards. */
  add(part: Buffer): void {
    this.offset += part.length;
    this.#bytes += part.length;
    if (part.length > COPIED_BYTES) {
      this.#closeChunk();
      this.#chunks.push(part);
      return;
    }
    if (this.#end + part.length > this.#page.length) {
      this.#closeChunk();
      this.#page = Buffer.allocUnsafeSlow(WRITE_BYTES + COPIED_BYTES);
      this.#start = 0;
      this.#end = 0;
    }
    this.#end += part.copy(this.#page, this.#end);
  }

  /** Whether it is time to `flush`. */
  get isFull(): boolean {
    return this.#bytes >= WRITE_BYTES;
  }

  async flush(): Promise<void> {
    this.#closeChunk();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    await this.sink(chunks);
  }

  #closeChunk(): void {
    if (this.#end > this.#start) this.#chunks.push(this.#page.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}
