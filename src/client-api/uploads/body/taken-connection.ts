import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { countReadBesideNode } from '../../../observability/bytes-beside-node.js';
import { SocketDescriptor } from '../../../volume/downloads/socket-descriptor.js';

/** Of the next request, to know that there is one; Node's parser reads the rest itself. */
const FIRST_BYTES = 4096;

/** Takes the rest of a body from the connection. */
export interface BodyBytesReader {
  /** Where the next bytes go: not empty while some are missing. */
  readonly space: Buffer;
  /** So many bytes are in `space` now. Whether to read on. */
  received(bytes: number): boolean;
  /** The connection has ended, or was ended: nothing is read into `space` any more. */
  closed(): void;
}

export interface TakenRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Gets the connection back for the requests that follow. */
  readonly server: Server;
  /** Aborted when the server wants to be rid of connections that wait for a request. */
  readonly drainSignal: AbortSignal;
}

/**
 * A connection whose request body is read from its socket without Node's HTTP parser, which copies each 64 KiB into a
 * buffer of its own: more than half of the CPU that a large upload takes. The answer is written through Node as ever.
 *
 * The parser never sees the end of this body, so the next request needs another one: when its first bytes come, a
 * duplicate of the descriptor is given to the server as a new connection. Until then Node's socket stays what
 * limits and timeouts know of it.
 */
export class TakenConnection {
  #raw: Socket | undefined;
  #isAnswered = false;
  /** Memory for the beginning of the next request, once the body is complete. */
  #firstBytes: Buffer | undefined;
  #nextRequest: Buffer | undefined;

  private constructor(
    private readonly taken: TakenRequest,
    /** Of the connection, for a socket beside Node's to own. */
    private readonly fd: number,
    /** The first bytes of the body, which the parser had read. */
    readonly head: Buffer,
    /** What follows them, in bytes. */
    readonly restBytes: number,
  ) {
    taken.response.once('finish', () => this.answered());
    taken.drainSignal.addEventListener('abort', this.#onDrain);
  }

  /**
   * Takes the connection, if at least `minBytes` of the body are still to come and nobody has read of it. `undefined`
   * where the bytes have to go through Node: TLS, a body of unknown length, a request whose turn to be answered has
   * not come. What was taken has to be started at once.
   */
  static take(taken: TakenRequest, minBytes: number): TakenConnection | undefined {
    const { request, response } = taken;
    const { socket } = request;
    // Only a lenient parser takes both lengths, and then the chunks count (RFC 9112, section 6.3).
    if (request.headers['transfer-encoding'] !== undefined) return undefined;
    const restBytes = Number(request.headers['content-length']) - request.readableLength;
    if (!(restBytes >= minBytes)) return undefined;
    if (request.readableDidRead || socket.destroyed || response.socket !== socket) return undefined;
    const descriptor = SocketDescriptor.of(socket);
    if (descriptor === undefined) return undefined;
    if (stopParsing(socket)) {
      return new TakenConnection(taken, descriptor.fd, bufferedBytes(request), restBytes);
    }
    descriptor.close();
    return undefined;
  }

  /** Nothing more can be read or written. */
  get isDestroyed(): boolean {
    return this.socket.destroyed;
  }

  /** Makes `reader` the one who takes the bytes, as soon as it resumes. Once. */
  start(reader: BodyBytesReader): void {
    const onread = {
      buffer: () => this.#firstBytes ?? reader.space,
      callback: (bytes: number) => this.received(reader, bytes),
    };
    // `onread` is documented for connect(), which has the constructor read it.
    const options = { fd: this.fd, allowHalfOpen: true, onread };
    const raw = new Socket(options);
    raw.pause();
    this.#raw = raw;
    const end = (): void => this.destroy();
    raw.once('end', end).once('error', end);
    this.socket.once('close', () => this.closed(raw, reader));
  }

  pause(): void {
    this.#raw?.pause();
  }

  resume(): void {
    // Unlike its resume() this takes effect now, and not once more in the next tick.
    this.#raw?.read(0);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** The reader has the whole body: what comes now is a request, which is read when this one has been answered. */
  bodyIsRead(): void {
    this.#firstBytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  private get socket(): Socket {
    return this.taken.request.socket;
  }

  /** Where the answer said that it is the last one, Node closes the connection. */
  private get awaitsRequest(): boolean {
    return this.#firstBytes !== undefined && this.#isAnswered && !isLast(this.taken.response);
  }

  private received(reader: BodyBytesReader, bytes: number): boolean {
    if (this.#firstBytes !== undefined) {
      this.#nextRequest = this.#firstBytes.subarray(0, bytes);
      this.destroy();
      return false;
    }
    countReadBesideNode(this.socket, bytes);
    const readOn = reader.received(bytes);
    return readOn || this.awaitsRequest;
  }

  private answered(): void {
    this.#isAnswered = true;
    if (this.awaitsRequest) this.resume();
  }

  readonly #onDrain = (): void => {
    if (this.awaitsRequest) this.destroy();
  };

  private closed(raw: Socket, reader: BodyBytesReader): void {
    this.taken.drainSignal.removeEventListener('abort', this.#onDrain);
    if (this.#nextRequest !== undefined) this.passOn(raw, this.#nextRequest);
    raw.destroy();
    reader.closed();
  }

  private passOn(raw: Socket, beginning: Buffer): void {
    const descriptor = SocketDescriptor.of(raw);
    // Without one the connection ends, as any may between two requests.
    if (descriptor === undefined) return;
    const socket = new Socket({ fd: descriptor.fd, allowHalfOpen: true });
    socket.unshift(beginning);
    countReadBesideNode(socket, beginning.length);
    this.taken.server.emit('connection', socket);
  }
}

/**
 * Keeps Node from reading the socket, for good: whatever would have it read again believes that it does. Neither the
 * handle nor its members are public; where they are not as they were, `false`.
 */
function stopParsing(socket: Socket): boolean {
  const { _handle: handle } = socket as {
    _handle?: { reading?: unknown; readStop?: () => number };
  };
  if (typeof handle?.reading !== 'boolean' || typeof handle.readStop !== 'function') return false;
  handle.readStop();
  handle.reading = true;
  return true;
}

function bufferedBytes(request: IncomingMessage): Buffer {
  const bytes: unknown = request.readableLength > 0 ? request.read() : null;
  return Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0);
}

function isLast(response: ServerResponse): boolean {
  return !response.shouldKeepAlive || response.getHeader('connection') === 'close';
}
