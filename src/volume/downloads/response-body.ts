import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { MaybePromise } from '../maybe-promise.js';

/** How a transfer ended. Everything but `complete` has destroyed the connection. */
export type TransferEnd = 'complete' | 'client-gone' | 'client-idle' | 'file-changed' | 'failed';

export interface TransferResult {
  readonly end: TransferEnd;
  /** Bytes of the body that were handed to the kernel. */
  readonly sentBytes: number;
  /** Why it ended, for `failed`. */
  readonly error?: unknown;
}

export interface TransferOptions {
  /**
   * Ends the transfer when one write waits so long for the client. Node's own timers do not see our bytes;
   * a socket may have megabytes to drain before it takes more, so keep it well above what that takes.
   */
  readonly idleTimeoutMs?: number;
  /** Told of every portion that was sent, for metrics. */
  readonly onBytes?: (count: number) => void;
}

type Callback = (error?: Error | null) => void;

const DEFAULT_IDLE_TIMEOUT_MS = 120_000;

/** Thrown out of a transfer that cannot go on for a foreseen reason. */
export class TransferStopped extends Error {
  override readonly name = 'TransferStopped';

  constructor(
    readonly end: Exclude<TransferEnd, 'complete' | 'failed'>,
    options?: { cause?: unknown },
  ) {
    super(end, options);
  }
}

/**
 * The socket, once it is this answer's turn: an answer to a pipelined request has none
 * until those before it are done. Take nothing that others may run out of (files, memory) before.
 *
 * @throws TransferStopped when the connection ends first
 */
export function responseTurn(response: ServerResponse): MaybePromise<Socket> {
  if (response.socket) return response.socket;
  // A finished answer has no socket either; its request's may live on.
  const connection = response.req.socket;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      response.off('socket', settle);
      connection.off('close', settle);
      if (response.socket) resolve(response.socket);
      else reject(new TransferStopped('client-gone'));
    };
    if (connection.destroyed || response.writableEnded) {
      settle();
      return;
    }
    response.once('socket', settle);
    connection.once('close', settle);
  });
}

/**
 * The body of one answer while it is written: backpressure as a promise, the end of the connection and
 * of the client's patience as an exception. Status and headers are set (not necessarily sent) before.
 */
export class ResponseBody {
  #sentBytes = 0;
  #stopped: TransferStopped | undefined;
  /** Made when somebody needs it: the many small answers are written before anybody does. */
  #stop: AbortController | undefined;
  /** Rejects the wait for the client that is going on. */
  #giveUp: ((reason: TransferStopped) => void) | undefined;

  private constructor(
    readonly response: ServerResponse,
    readonly socket: Socket,
    private readonly options: TransferOptions,
  ) {
    socket.once('close', this.#onClose);
    if (socket.destroyed) this.#onClose();
  }

  /** Aborted, with a TransferStopped as its reason, when the client is gone or idle. */
  get signal(): AbortSignal {
    if (this.#stop) return this.#stop.signal;
    this.#stop = new AbortController();
    // An archive reads several files at a time, and each may wait for its turn.
    setMaxListeners(0, this.#stop.signal);
    if (this.#stopped) this.#stop.abort(this.#stopped);
    return this.#stop.signal;
  }

  /** Throws the signal's reason once it is aborted. */
  throwIfStopped(): void {
    if (this.#stopped) throw this.#stopped;
  }

  /**
   * Runs `produce` when it is this answer's turn and ends the answer after it, with the chunks that it
   * returns. Never rejects: whatever is thrown ends the connection, since half a body cannot be followed by
   * an error message.
   */
  static async send(
    response: ServerResponse,
    options: TransferOptions,
    produce: (body: ResponseBody) => Promise<readonly Uint8Array[] | void>,
  ): Promise<TransferResult> {
    try {
      const body = new ResponseBody(response, await responseTurn(response), options);
      return await body.#run(async () => body.#finish((await produce(body)) ?? []));
    } catch (error) {
      response.req.socket.destroy();
      if (error instanceof TransferStopped) return { end: error.end, sentBytes: 0 };
      return { end: 'failed', sentBytes: 0, error };
    }
  }

  /**
   * Ends the answer with a body that is all there: when the kernel takes it at once, nothing is waited for. Only when it
   * is this answer's turn. Does not fail either.
   */
  static sendWhole(
    response: ServerResponse,
    options: TransferOptions,
    chunks: readonly Uint8Array[],
  ): MaybePromise<TransferResult> {
    const { socket } = response;
    if (socket === null || socket.destroyed)
      return this.send(response, options, async () => chunks);
    endWith(response, chunks);
    // A write that fails leaves nothing to be written either; its error is told of a turn later.
    if (response.writableFinished && socket.errored === null) {
      const sentBytes = lengthOf(chunks);
      if (sentBytes > 0) options.onBytes?.(sentBytes);
      return { end: 'complete', sentBytes };
    }
    const body = new ResponseBody(response, socket, options);
    return body.#run(() => body.#ended(chunks, (done) => response.once('finish', done)));
  }

  async #run(work: () => Promise<void>): Promise<TransferResult> {
    try {
      await work();
      return { end: 'complete', sentBytes: this.#sentBytes };
    } catch (error) {
      this.socket.destroy();
      const cause: unknown = this.#stopped ?? error;
      if (cause instanceof TransferStopped) return { end: cause.end, sentBytes: this.#sentBytes };
      return { end: 'failed', sentBytes: this.#sentBytes, error };
    } finally {
      this.socket.off('close', this.#onClose);
    }
  }

  /** Resolves when the kernel has taken all of `chunks`, so their memory may be used again. */
  async write(chunks: readonly Uint8Array[]): Promise<void> {
    this.throwIfStopped();
    const last = chunks.at(-1);
    if (last === undefined) return;
    await this.#untilCalledBack((done) => {
      this.response.cork();
      for (const chunk of chunks.slice(0, -1)) this.response.write(chunk);
      this.response.write(last, done);
      this.response.uncork();
    });
    this.progress(lengthOf(chunks));
  }

  /** Counts bytes that reached the kernel by another way. */
  progress(bytes: number): void {
    this.#sentBytes += bytes;
    this.options.onBytes?.(bytes);
  }

  #finish(chunks: readonly Uint8Array[]): Promise<void> {
    return this.#ended(chunks, (done) => endWith(this.response, chunks, done));
  }

  /** Resolves when `start`, which ends the answer with `chunks` or has to wait for that end, calls back. */
  async #ended(chunks: readonly Uint8Array[], start: (done: Callback) => void): Promise<void> {
    this.throwIfStopped();
    await this.#untilCalledBack(start);
    if (chunks.length > 0) this.progress(lengthOf(chunks));
  }

  /** Waits for Node's callback, or for the end of the connection, after which it may never come. */
  async #untilCalledBack(start: (done: Callback) => void): Promise<void> {
    const { idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = this.options;
    const idle = setTimeout(() => this.#end('client-idle'), idleTimeoutMs);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#giveUp = reject;
        start((error) => {
          // Node's writes fail for one reason: there is nobody to write to.
          if (error) reject(new TransferStopped('client-gone', { cause: error }));
          else resolve();
        });
      });
    } finally {
      clearTimeout(idle);
      this.#giveUp = undefined;
    }
  }

  readonly #onClose = (): void => this.#end('client-gone');

  #end(end: TransferStopped['end']): void {
    if (!this.#stopped) {
      this.#stopped = new TransferStopped(end);
      this.#giveUp?.(this.#stopped);
      this.#stop?.abort(this.#stopped);
    }
    this.socket.destroy();
  }
}

/** Writes the rest of an answer in one go. */
function endWith(response: ServerResponse, chunks: readonly Uint8Array[], done?: Callback): void {
  const last = chunks.at(-1);
  if (last === undefined) {
    response.end(done);
    return;
  }
  response.cork();
  for (const chunk of chunks.slice(0, -1)) response.write(chunk);
  response.end(last, done);
  response.uncork();
}

function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((total, chunk) => total + chunk.byteLength, 0);
}
