import zlib from 'node:zlib';
import { ahead } from './ahead.js';
import { CentralDirectory } from './central-directory.js';
import { DEFLATE_END, longestStream, type PieceDeflater } from './deflate.js';
import {
  dataDescriptor,
  DEFLATED,
  endOfArchive,
  localHeader,
  STORED,
  type ZipEntry,
  type ZipSizes,
} from './zip-records.js';

/** Takes the archive's bytes in order; resolves when it wants more. The buffers are not touched afterwards. */
export type ZipSink = (chunks: readonly Buffer[]) => Promise<void>;

/** Name, mode and time of an entry. */
export type EntryFacts = Omit<ZipEntry, 'method'>;

/** Content that is at hand as a whole. */
export interface WholeContent {
  readonly crc: number;
  readonly sizeBytes: number;
  /** What goes into the archive. */
  readonly data: Buffer;
  readonly isDeflated: boolean;
}

/** Size of the pieces that `addStream` takes (the last one may be shorter); the unit of parallel compression. */
export const PIECE_BYTES = 512 * 1024;
const PIECES_AHEAD = 4;
const MAX_32 = 0xffff_ffff;

/**
 * Writes a ZIP file front to back, without seeking: fit for a socket. What is at hand as a whole carries
 * its checksum and sizes up front, larger content has them after its data and is always deflated (stored
 * blocks cost 5 bytes in 64 KiB), so that readers which cannot seek either find its end.
 */
export class ZipWriter {
  #offset = 0;
  readonly #directory = new CentralDirectory();

  constructor(private readonly sink: ZipSink) {}

  /** `name` ends in `/`. */
  async addDirectory(facts: EntryFacts): Promise<void> {
    const nothing = { crc: 0, sizeBytes: 0, data: Buffer.alloc(0), isDeflated: false };
    await this.addWhole(facts, nothing);
  }

  /** At most 4 GiB. */
  async addWhole(facts: EntryFacts, content: WholeContent): Promise<void> {
    const entry: ZipEntry = { ...facts, method: content.isDeflated ? DEFLATED : STORED };
    const sizes: ZipSizes = {
      crc: content.crc,
      sizeBytes: content.sizeBytes,
      compressedBytes: content.data.length,
    };
    const offset = this.#offset;
    await this.write([localHeader(entry, sizes), content.data]);
    await this.#directory.add({ ...entry, ...sizes, offset, hasDescriptor: false, zip64: false });
  }

  /** `maxBytes` is the most that `pieces` can add up to. */
  async addStream(
    facts: EntryFacts,
    maxBytes: number,
    pieces: AsyncIterable<Buffer>,
    deflater: PieceDeflater,
  ): Promise<void> {
    const entry: ZipEntry = { ...facts, method: DEFLATED };
    const zip64 = longestStream(maxBytes, PIECE_BYTES) >= MAX_32;
    const offset = this.#offset;
    await this.write([localHeader(entry, undefined, zip64)]);
    const dataStart = this.#offset;
    let crc = 0;
    let sizeBytes = 0;
    const blocks = ahead(pieces, PIECES_AHEAD, (piece) => {
      crc = zlib.crc32(piece, crc);
      sizeBytes += piece.length;
      return deflater.deflate(piece);
    });
    for await (const block of blocks) await this.write(block);
    await this.write([DEFLATE_END]);
    const sizes: ZipSizes = { crc, sizeBytes, compressedBytes: this.#offset - dataStart };
    await this.write([dataDescriptor(sizes, zip64)]);
    await this.#directory.add({ ...entry, ...sizes, offset, hasDescriptor: true, zip64 });
  }

  /** Writes the directory; nothing can be added afterwards. */
  async finish(): Promise<void> {
    const offset = this.#offset;
    const { entries, lengthBytes } = this.#directory;
    for await (const records of this.#directory.records()) await this.write([records]);
    await this.write([endOfArchive({ entries, offset, lengthBytes })]);
  }

  private async write(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) this.#offset += chunk.length;
    await this.sink(chunks);
  }
}
