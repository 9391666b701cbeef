import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { centralHeader, type CentralEntry } from './zip-records.js';

const deflateRaw = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);
const inflateRaw = promisify<zlib.InputType, Buffer>(zlib.inflateRaw);

const BLOCK_BYTES = 256 * 1024;

/**
 * The directory that ends an archive, kept until then. An archive may have millions of entries, so full
 * blocks are compressed while they wait: their names share most of their bytes.
 */
export class CentralDirectory {
  entries = 0;
  lengthBytes = 0;
  #open: Buffer[] = [];
  #openBytes = 0;
  readonly #packed: Buffer[] = [];

  add(entry: CentralEntry): void {
    const record = centralHeader(entry);
    this.entries += 1;
    this.lengthBytes += record.length;
    this.#open.push(record);
    this.#openBytes += record.length;
  }

  /** Compresses the open block when it is full; to be awaited now and then between entries. */
  async pack(): Promise<void> {
    if (this.#openBytes < BLOCK_BYTES) return;
    const block = Buffer.concat(this.#open);
    this.#open = [];
    this.#openBytes = 0;
    this.#packed.push(await deflateRaw(block, { level: 1 }));
  }

  /** All records in order, in blocks. */
  async *records(): AsyncGenerator<Buffer> {
    for (const block of this.#packed) yield await inflateRaw(block);
    if (this.#openBytes > 0) yield Buffer.concat(this.#open);
  }
}
