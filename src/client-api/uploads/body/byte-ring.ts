/** Of one ring. A mebibyte is written while another one comes, as long as few bodies do. */
const MAX_RING_BYTES = 2 * 1024 * 1024;
const MIN_RING_BYTES = 128 * 1024;
/** What all rings together take, until there are so many that each has the least. */
const ALL_RINGS_BYTES = 32 * 1024 * 1024;
/** Kept for the next bodies: new memory costs a page fault for every 4 KiB of it. */
const MAX_SPARE_BYTES = 8 * 1024 * 1024;

/** Rings that somebody has. */
let taken = 0;
let spare: Buffer[] = [];

/** Memory between a socket and a disk, filled and emptied round and round. */
export class ByteRing {
  /** Of the oldest byte that is in use. */
  #start = 0;
  #used = 0;

  private constructor(private readonly memory: Buffer) {}

  /** Of a size that lets all bodies have theirs. */
  static take(): ByteRing {
    taken++;
    const size = sizeFor(taken);
    const index = spare.findIndex(({ length }) => length === size);
    const [memory = Buffer.allocUnsafeSlow(size)] = index < 0 ? [] : spare.splice(index, 1);
    return new ByteRing(memory);
  }

  /** Gives the memory to others. Only when no byte of it is in use, by a system call either. Once. */
  giveBack(): void {
    taken--;
    const spareBytes = spare.reduce((sum, { length }) => sum + length, this.memory.length);
    // Of a size that is not asked for at the moment; nothing is lost but some page faults.
    spare = spareBytes > MAX_SPARE_BYTES ? [this.memory] : [...spare, this.memory];
  }

  get sizeBytes(): number {
    return this.memory.length;
  }

  get freeBytes(): number {
    return this.memory.length - this.#used;
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  /** Where the next bytes go, at most so many, in one piece. Some of it may still be in use: see `freeBytes`. */
  space(mostBytes: number): Buffer {
    const at = (this.#start + this.#used) % this.memory.length;
    return this.memory.subarray(at, Math.min(at + mostBytes, this.memory.length));
  }

  /** The first `bytes` bytes of `space` are filled. */
  fill(bytes: number): void {
    this.#used += bytes;
  }

  /** The oldest `bytes` bytes are not needed any more. */
  release(bytes: number): void {
    this.#used -= bytes;
    this.#start = (this.#start + bytes) % this.memory.length;
  }
}

/** A power of two, so that memory given back fits again. */
function sizeFor(rings: number): number {
  const share = 2 ** Math.floor(Math.log2(ALL_RINGS_BYTES / rings));
  return Math.min(MAX_RING_BYTES, Math.max(MIN_RING_BYTES, share));
}
