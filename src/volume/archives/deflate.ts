import { promisify } from 'node:util';
import zlib from 'node:zlib';

/** Node's one-shot form: one task on libuv's pool, no stream. */
const deflateRaw = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/** Below this gain the reader's time is worth more than the bytes. */
const WORTHWHILE_RATIO = 0.95;
/** After a piece that would not shrink, so many are stored before compression is tried again. */
const PIECES_UNTIL_RETRY = 15;
/** Less than this hardly ever gets shorter. */
const MIN_BYTES = 128;
/** Up to here compressing takes less time than handing the work to a thread. */
const MAX_SYNC_BYTES = 8 * 1024;
const SAMPLE_BYTES = 32 * 1024;
/** RFC 1951, 3.2.4: the length of a stored block has 16 bits. */
const MAX_STORED_BLOCK = 0xffff;
/** An empty last block with fixed codes: ends a stream whose pieces end on byte boundaries. */
export const DEFLATE_END = Buffer.from([0x03, 0x00]);

/** What is to be stored of something small: compressed, or undefined when that is not worth it. */
export type Deflated = Buffer | undefined;

/** The whole of something small, without a promise where that is quicker. `level` is zlib's, 0 stores. */
export function deflateWhole(content: Buffer, level: number): Deflated | Promise<Deflated> {
  if (level === 0 || content.length < MIN_BYTES) return undefined;
  if (content.length > MAX_SYNC_BYTES) return deflateOnPool(content, level);
  return ifWorthwhile(zlib.deflateRawSync(content, { level }), content);
}

async function deflateOnPool(content: Buffer, level: number): Promise<Deflated> {
  if (!(await isPromising(content, level))) return undefined;
  return ifWorthwhile(await deflateRaw(content, { level }), content);
}

function ifWorthwhile(compressed: Buffer, content: Buffer): Deflated {
  return isWorthwhile(compressed, content) ? compressed : undefined;
}

/**
 * Makes one deflate stream (RFC 1951) of pieces that are compressed independently, and so in parallel:
 * each ends on a byte boundary, `DEFLATE_END` follows the last. A piece that would not shrink goes into
 * stored blocks as it is, and so do those after it for a while: data that is compressed already costs
 * next to nothing, wherever in a file it begins.
 */
export class PieceDeflater {
  #toStore: number;
  #shrinks = false;

  constructor(
    private readonly level: number,
    /** Whether the content is likely to be compressed already. */
    incompressible: boolean,
  ) {
    this.#toStore = incompressible ? PIECES_UNTIL_RETRY : 0;
  }

  /** The piece's part of the stream, to be written in order; uncompressed content is not copied. */
  async deflate(piece: Buffer): Promise<readonly Buffer[]> {
    if (this.level === 0) return storedBlocks(piece);
    if (this.#toStore > 0) {
      this.#toStore -= 1;
      return storedBlocks(piece);
    }
    if (this.#shrinks || (await isPromising(piece, this.level))) {
      const options = { level: this.level, finishFlush: zlib.constants.Z_SYNC_FLUSH };
      const compressed = await deflateRaw(piece, options);
      this.#shrinks = isWorthwhile(compressed, piece);
      if (this.#shrinks) return [compressed];
    }
    this.#toStore = PIECES_UNTIL_RETRY;
    return storedBlocks(piece);
  }
}

/** Most bytes that a stream of `length` bytes of content can take: all stored, in pieces of `pieceBytes`. */
export function longestStream(length: number, pieceBytes: number): number {
  const blocks = Math.ceil(pieceBytes / MAX_STORED_BLOCK) * Math.ceil(length / pieceBytes);
  return length + blocks * 5 + DEFLATE_END.length;
}

/** Tries the beginning: zlib is at its slowest where nothing can be gained. */
async function isPromising(content: Buffer, level: number): Promise<boolean> {
  if (content.length <= 2 * SAMPLE_BYTES) return true;
  const sample = content.subarray(0, SAMPLE_BYTES);
  return isWorthwhile(await deflateRaw(sample, { level }), sample);
}

function isWorthwhile(compressed: Buffer, content: Buffer): boolean {
  return compressed.length < content.length * WORTHWHILE_RATIO;
}

function storedBlocks(piece: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 0; at < piece.length; at += MAX_STORED_BLOCK) {
    const block = piece.subarray(at, at + MAX_STORED_BLOCK);
    const header = Buffer.alloc(5);
    header.writeUInt16LE(block.length, 1);
    header.writeUInt16LE(~block.length & 0xffff, 3);
    blocks.push(header, block);
  }
  return blocks;
}
