import zlib from 'node:zlib';
import { ahead } from './ahead.js';
import { CentralDirectory } from './central-directory.js';
import { DEFLATE_END, longestStream, type PieceDeflater } from './deflate.js';
import { ZipOutput, type ZipSink } from './zip-output.js';
import {
  dataDescriptor,
  DEFLATED,
  endOfArchive,
  localHeader,
  STORED,
  type CentralEntry,
  type ZipEntry,
  type ZipSizes,
} from './zip-records.js';

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
  readonly #output: ZipOutput;
  readonly #directory = new CentralDirectory();

  constructor(sink: ZipSink) {
    this.#output = new ZipOutput(sink);
  }

  /** Whether `flush` should be awaited before more is added. */
  get isFull(): boolean {
    return this.#output.isFull;
  }

  /** Hands on what has been added. */
  async flush(): Promise<void> {
    await this.#output.flush();
    await this.#directory.pack();
  }

  /** At most 4 GiB; a directory is an entry without content whose name ends in `/`. */
  addWhole(facts: EntryFacts, content: WholeContent): void {
    const output = this.#output;
    // Named one by one: there may be millions of them, and spreading objects would cost more than the headers.
    const entry: CentralEntry = {
      name: facts.name,
      mode: facts.mode,
      mtimeNs: facts.mtimeNs,
      method: content.isDeflated ? DEFLATED : STORED,
      crc: content.crc,
      sizeBytes: content.sizeBytes,
      compressedBytes: content.data.length,
      offset: output.offset,
      hasDescriptor: false,
      zip64: false,
    };
    output.add(localHeader(entry, entry));
    output.add(content.data);
    this.#directory.add(entry);
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
    const output = this.#output;
    const { offset } = output;
    output.add(localHeader(entry, undefined, zip64));
    const dataStart = output.offset;
    let crc = 0;
    let sizeBytes = 0;
    const blocks = ahead(pieces, PIECES_AHEAD, (piece) => {
      crc = zlib.crc32(piece, crc);
      sizeBytes += piece.length;
      return deflater.deflate(piece);
    });
    for await (const block of blocks) {
      for (const part of block) output.add(part);
      if (output.isFull) await this.flush();
    }
    output.add(DEFLATE_END);
    const sizes: ZipSizes = { crc, sizeBytes, compressedBytes: output.offset - dataStart };
    output.add(dataDescriptor(sizes, zip64));
    this.#directory.add({ ...entry, ...sizes, offset, hasDescriptor: true, zip64 });
  }

  /** Writes the directory; nothing can be added afterwards. */
  async finish(): Promise<void> {
    const output = this.#output;
    const { offset } = output;
    const { entries, lengthBytes } = this.#directory;
    for await (const records of this.#directory.records()) {
      output.add(records);
      if (output.isFull) await output.flush();
    }
    output.add(endOfArchive({ entries, offset, lengthBytes }));
    await output.flush();
  }
}
