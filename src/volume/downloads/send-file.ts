import type { ServerResponse } from 'node:http';
import { calls, sync } from '../../native/calls.js';
import { Errno, isErrno } from '../../native/errno.js';
import { countBytesBesideNode } from '../../observability/bytes-beside-node.js';
import type { BlockingCall } from '../blocking-call.js';
import type { MaybePromise } from '../maybe-promise.js';
import type { ByteRange } from './byte-range.js';
import { LoopTurn } from './loop-turn.js';
import { bodyLength, type BodyPart } from './multipart-ranges.js';
import {
  ResponseBody,
  TransferStopped,
  type TransferOptions,
  type TransferResult,
} from './response-body.js';
import { SocketDescriptor } from './socket-descriptor.js';

/** A file held open by the caller. */
export interface FileSource {
  readonly fd: number;
  /** Fills what it can from memory, without waiting; undefined where only a call on the pool can tell. */
  readCached?(buffer: Uint8Array, position: number): number | undefined;
  /** Whether a range is in memory, so that sending it waits for nothing; undefined where nobody can tell. */
  readonly isResident?: ((position: number, length: number) => boolean) | undefined;
}

export interface SendOptions extends TransferOptions {
  /** The volume's share of the pool decides when. */
  readonly io?: BlockingCall;
  /** Sends through Node only, as over TLS. */
  readonly stream?: boolean;
}

/** Up to here one read and one write beat the set-up of the direct way. */
const SMALL_RANGE_BYTES = 128 * 1024;
/**
 * A fast client can keep one call busy for as long as it lasts: a bound keeps the pool fair. Each call costs about
 * 50 µs on this thread beside its own work, which is a quarter of that of a mebibyte.
 */
const MAX_CALL_BYTES = 4 * 1024 * 1024;
/**
 * What is in memory is sent on this thread, which saves the way to the pool and back: at most so much in one turn of
 * the event loop, that is for half a millisecond, and as much as nginx (`sendfile_max_chunk`).
 */
const MAX_AT_ONCE_BYTES = 2 * 1024 * 1024;
const turn = new LoopTurn();
/** What is written through Node when the socket is full: its callback is the news that there is room again. */
const SIGNAL_BYTES = 4096;
const STREAM_CHUNK_BYTES = 256 * 1024;

/**
 * Writes `parts` as the body of `response`, ranges of `file` by sendfile(2) where the connection allows
 * it, and ends the response. Status and headers, with the exact `Content-Length`, are set before.
 *
 * Never rejects. Unless the result says `complete`, the connection has been destroyed: a body that falls
 * short of its length would make the client take the next answer for the rest of the file. When the
 * promise settles no call on `file` is running any more, so the caller may close it. A small body that is in memory,
 * and that the kernel takes at once, is sent when this returns.
 */
export function sendRanges(
  response: ServerResponse,
  file: FileSource,
  parts: readonly BodyPart[],
  options: SendOptions = {},
): MaybePromise<TransferResult> {
  const content = response.socket ? contentInMemory(file, parts) : undefined;
  if (content) return ResponseBody.sendWhole(response, options, content);
  return ResponseBody.send(response, options, async (body) => {
    const { io: share = (work) => work() } = options;
    // A call that still waits for its turn when the client leaves is not made any more.
    const io: BlockingCall = (work) => share(work, body.signal);
    // Bytes that wait to travel with the next write, so that a part's header costs no packet of its own.
    let pending: Uint8Array[] = [];
    for (const part of parts) {
      if (Buffer.isBuffer(part)) {
        pending.push(part);
      } else if (part.length <= SMALL_RANGE_BYTES) {
        pending.push(await readRange(file, part, io));
        await body.write(pending);
        pending = [];
      } else {
        await sendRange(body, { file, range: part, lead: pending, io }, options.stream ?? false);
        pending = [];
      }
    }
    // Travels with the end of the answer: for most files that is all of it, headers included.
    return pending;
  });
}

/** All of a small body; undefined where some of it has to be waited for, or is not there. */
function contentInMemory(
  file: FileSource,
  parts: readonly BodyPart[],
): readonly Uint8Array[] | undefined {
  if (bodyLength(parts) > SMALL_RANGE_BYTES) return undefined;
  const chunks: Uint8Array[] = [];
  for (const part of parts) {
    if (Buffer.isBuffer(part)) {
      chunks.push(part);
    } else {
      const chunk = Buffer.allocUnsafe(part.length);
      if (file.readCached?.(chunk, part.start) !== part.length) return undefined;
      chunks.push(chunk);
    }
  }
  return chunks;
}

interface RangeTransfer {
  readonly file: FileSource;
  readonly range: ByteRange;
  /** To be written before the range. */
  readonly lead: readonly Uint8Array[];
  readonly io: BlockingCall;
}

async function sendRange(
  body: ResponseBody,
  transfer: RangeTransfer,
  stream: boolean,
): Promise<void> {
  const descriptor = stream ? undefined : SocketDescriptor.of(body.socket);
  if (descriptor === undefined) return streamRange(body, transfer);
  const onClose = (): void => descriptor.shutdown();
  body.socket.once('close', onClose);
  try {
    // The connection may have ended between the last check and the listener.
    body.throwIfStopped();
    await sendDirectly(body, transfer, descriptor);
  } finally {
    body.socket.off('close', onClose);
    descriptor.close();
  }
}

/**
 * Alternates between sendfile(2) until the socket is full and one small write through Node, whose callback
 * comes when there is room again: libuv has no public way to just wait for that. The two never
 * overlap: sendfile runs only while Node's write queue is empty, or the bytes would interleave.
 */
async function sendDirectly(
  body: ResponseBody,
  { file, range, lead, io }: RangeTransfer,
  descriptor: SocketDescriptor,
): Promise<void> {
  const duplicate = sync.dup(file.fd);
  try {
    const end = range.start + range.length;
    const signal = Buffer.allocUnsafe(SIGNAL_BYTES);
    let position = range.start;
    let before = lead;
    while (position < end) {
      const piece = signal.subarray(0, Math.min(SIGNAL_BYTES, end - position));
      await readFully(file, piece, position, io);
      await body.write([...before, piece]);
      before = [];
      position += piece.length;
      position += await fillSocket(body, descriptor, { file, fd: duplicate, position, end, io });
    }
  } finally {
    await calls.close(duplicate);
  }
}

interface Filling {
  readonly file: FileSource;
  /** Of the same open file, for as long as this transfer needs it. */
  readonly fd: number;
  readonly position: number;
  readonly end: number;
  readonly io: BlockingCall;
}

/** Sends until the socket takes no more, or all up to `end`: the number of bytes. */
async function fillSocket(
  body: ResponseBody,
  descriptor: SocketDescriptor,
  { file, fd, position, end, io }: Filling,
): Promise<number> {
  let sent = 0;
  while (position + sent < end) {
    const offset = position + sent;
    let count = Math.min(MAX_AT_ONCE_BYTES, end - offset);
    let moved: number;
    try {
      // Whoever would have to wait for another transfer goes to the pool, which has other cores.
      const isMyTurn = file.isResident !== undefined && !turn.isTaken;
      if (isMyTurn) await turn.take();
      body.throwIfStopped();
      if (isMyTurn && file.isResident?.(offset, count)) {
        moved = sync.sendfile(descriptor.fd, fd, offset, count);
      } else {
        count = Math.min(MAX_CALL_BYTES, end - offset);
        moved = await io(() => calls.sendfile(descriptor.fd, fd, offset, count));
      }
    } catch (error) {
      body.throwIfStopped();
      if (isErrno(error, Errno.EAGAIN)) return sent;
      if (isErrno(error, Errno.EPIPE, Errno.ECONNRESET)) throw new TransferStopped('client-gone');
      throw error;
    }
    body.throwIfStopped();
    if (moved === 0) throw new TransferStopped('file-changed');
    body.progress(moved);
    countBytesBesideNode(body.response, moved);
    sent += moved;
    if (moved < count) return sent;
  }
  return sent;
}

/** The way through Node: large reads, one ahead of the write. */
async function streamRange(
  body: ResponseBody,
  { file, range, lead, io }: RangeTransfer,
): Promise<void> {
  const end = range.start + range.length;
  const buffers = [0, 1].map(() => Buffer.allocUnsafe(STREAM_CHUNK_BYTES));
  const readAt = (index: number, position: number): Promise<Buffer> => {
    const chunk = buffers[index % 2]!.subarray(0, Math.min(STREAM_CHUNK_BYTES, end - position));
    const reading = readFully(file, chunk, position, io);
    // Its failure is met at the next `await`; until then it must not count as unhandled.
    reading.catch(() => undefined);
    return reading;
  };
  let position = range.start;
  let reading = readAt(0, position);
  try {
    for (let index = 1; position < end; index++) {
      const chunk = await reading;
      position += chunk.length;
      if (position < end) reading = readAt(index, position);
      await body.write(index === 1 ? [...lead, chunk] : [chunk]);
    }
  } finally {
    // The file may be closed once we return, so no read may be under way.
    await Promise.allSettled([reading]);
  }
}

function readRange(file: FileSource, range: ByteRange, io: BlockingCall): Promise<Buffer> {
  return readFully(file, Buffer.allocUnsafe(range.length), range.start, io);
}

/** Fills `buffer`; a file that ends before has shrunk since its size was announced. */
async function readFully(
  file: FileSource,
  buffer: Buffer,
  position: number,
  io: BlockingCall,
): Promise<Buffer> {
  let filled = 0;
  while (filled < buffer.length) {
    const rest = buffer.subarray(filled);
    const count =
      file.readCached?.(rest, position + filled) ??
      (await io(() => calls.read(file.fd, rest, position + filled)));
    if (count === 0) throw new TransferStopped('file-changed');
    filled += count;
  }
  return buffer;
}
