import { calls } from './calls.js';
import { LOCK_EX, LOCK_UN } from './constants.js';
import type { Stat } from './stat.js';

const COPY_CHUNK_BYTES = 1024 * 1024;

/** An open regular file beneath some root. Its owner closes it; every method rejects with SystemError. */
export class OpenFile {
  #closed = false;

  constructor(
    readonly fd: number,
    /** As it was when the file was opened. */
    readonly stat: Stat,
  ) {}

  /** Fills `buffer` from `position` (bytes): the number read, fewer only at the end of the file. */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    let total = 0;
    while (total < buffer.byteLength) {
      const count = await calls.read(this.fd, buffer.subarray(total), position + total);
      if (count === 0) break;
      total += count;
    }
    return total;
  }

  /** Writes all of `buffers` at `position` (bytes), however many calls that takes. */
  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let pending = buffers.filter((buffer) => buffer.byteLength > 0);
    let at = position;
    while (pending.length > 0) {
      const written = await calls.writev(this.fd, pending, at);
      at += written;
      pending = skip(pending, written);
    }
  }

  /** Writes all of this file to the empty `target`. */
  async copyTo(target: OpenFile): Promise<void> {
    const buffer = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
    for (let position = 0; ;) {
      const length = await this.read(buffer, position);
      await target.write([buffer.subarray(0, length)], position);
      position += length;
      if (length < buffer.length) return;
    }
  }

  truncate(length: number): Promise<void> {
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
    return calls.flock(this.fd, LOCK_EX);
  }

  async unlock(): Promise<void> {
    await calls.flock(this.fd, LOCK_UN);
  }

  /** May be called again. On NFS a failure here can mean lost writes: sync first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await calls.close(this.fd);
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
