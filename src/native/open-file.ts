import { readAtOnce } from './at-once.js';
import { calls, sync } from './calls.js';
import { LOCK_EX, LOCK_UN } from './constants.js';
import { isResident, tellsResidency } from './residency.js';
import type { Stat } from './stat.js';

const COPY_CHUNK_BYTES = 4 * 1024 * 1024;

/** Freeing the blocks of a file that was deleted meanwhile is left to its last close: of no more than this, at once. */
const MAX_CLOSED_AT_ONCE_BYTES = 1024 * 1024;

export interface OpenFileTraits {
  /** Its filesystem answers from memory, see at-once.ts. */
  readonly atOnce: boolean;
}

/** An open regular file beneath some root. Its owner closes it; every method rejects with SystemError. */
export class OpenFile {
  #closed = false;
  /** Closing a file that was written to may start writing it back. */
  #isChanged = false;

  constructor(
    readonly fd: number,
    /** As it was when the file was opened. */
    readonly stat: Stat,
    private readonly traits: OpenFileTraits = { atOnce: false },
  ) {}

  /** Fills `buffer` from `position` (bytes): the number read, fewer only at the end of the file. */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    let total = 0;
    while (total < buffer.byteLength) {
      const rest = buffer.subarray(total);
      const count =
        this.readCached(rest, position + total) ??
        (await calls.read(this.fd, rest, position + total));
      if (count === 0) break;
      total += count;
    }
    return total;
  }

  /** What of `buffer` can be filled from memory; undefined where only a read on the pool can tell. Does not wait. */
  readCached(buffer: Uint8Array, position: number): number | undefined {
    return this.traits.atOnce ? readAtOnce(this.fd, buffer, position) : undefined;
  }

  /** Tells whether reading `length` bytes from `position` on would wait for nothing; undefined where nobody can tell. */
  get isResident(): ((position: number, length: number) => boolean) | undefined {
    return this.traits.atOnce && tellsResidency() ? this.#isResident : undefined;
  }

  readonly #isResident = (position: number, length: number): boolean =>
    isResident(this.fd, position, length);

  /** Writes all of `buffers` at `position` (bytes), however many calls that takes. */
  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    this.#isChanged = true;
    let pending = buffers.filter((buffer) => buffer.byteLength > 0);
    let at = position;
    while (pending.length > 0) {
      const written = await calls.writev(this.fd, pending, at);
      at += written;
      pending = skip(pending, written);
    }
  }

  /** Fewer bytes than a whole part come at the end only. */
  private async copyPart(target: OpenFile, position: number): Promise<number> {
    const buffer = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
    const length = await this.read(buffer, position);
    await target.write([buffer.subarray(0, length)], position);
    return length;
  }

  /** Writes all of this file to the empty `target`, each part when `slot` says so. */
  async copyTo(target: OpenFile, slot: <T>(work: () => Promise<T>) => Promise<T>): Promise<void> {
    for (let position = 0; ;) {
      const from = position;
      const length = await slot(() => this.copyPart(target, from));
      position += length;
      if (length < COPY_CHUNK_BYTES) return;
    }
  }

  truncate(length: number): Promise<void> {
    this.#isChanged = true;
    return calls.ftruncate(this.fd, length);
  }

  /** Lets a range begin to be written back, so that a later `datasync` waits for less. Makes nothing durable. */
  startWriteback(position: number, length: number): Promise<void> {
    return calls.startWriteback(this.fd, position, length);
  }

  /** Data and size on stable storage (fdatasync(2)). A failure is final: what was written may be lost. */
  datasync(): Promise<void> {
    return calls.fdatasync(this.fd);
  }

  sync(): Promise<void> {
    return calls.fsync(this.fd);
  }

  /** Takes the exclusive flock(2) if it is free; it is dropped by `unlock`, `close`, or the death of the process. */
  tryLock(): Promise<boolean> {
    return this.#flock(LOCK_EX);
  }

  async unlock(): Promise<void> {
    await this.#flock(LOCK_UN);
  }

  /** May be called again. On NFS a failure here can mean lost writes: sync first. */
  async close(): Promise<void> {
    if (this.closeAtOnce()) return;
    this.#closed = true;
    await calls.close(this.fd);
  }

  /** `close` where that waits for nothing; false where `close` has to. */
  closeAtOnce(): boolean {
    if (this.#closed) return true;
    const isQuick = !this.#isChanged && this.stat.size <= MAX_CLOSED_AT_ONCE_BYTES;
    if (!this.traits.atOnce || !isQuick) return false;
    this.#closed = true;
    sync.close(this.fd);
    return true;
  }

  /** The locks of a local filesystem are in memory. */
  #flock(operation: number): Promise<boolean> {
    if (this.traits.atOnce) return Promise.resolve(sync.flock(this.fd, operation));
    return calls.flock(this.fd, operation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function skip(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (left >= buffer.byteLength) left -= buffer.byteLength;
    else {
      rest.push(left > 0 ? buffer.subarray(left) : buffer);
      left = 0;
    }
  }
  return rest;
}
