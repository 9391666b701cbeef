import { isStorageError, StorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import { tracedRequest } from '../../observability/request-context.js';
import { loggerFor } from '../../observability/logger.js';
import type { Codec } from '../protocol/codec.js';
import { decodeFailure } from '../protocol/failure.js';
import { encodeFrame, MAX_REQUEST_ID, type Frame } from '../protocol/frame.js';
import {
  encodeRequest,
  REQUESTS,
  type AgentRequest,
  type Operation,
  type Parameters,
  type Result,
} from '../protocol/requests.js';
import { AgentLink } from './agent-link.js';
import { isFinal, unavailable } from './unavailable.js';

const log = loggerFor('agent-client');

/** Longer than a restart of the agent takes. */
const PATIENCE_MS = 10_000;
/** The agent has deadlines of its own, and says while it works on what has none. */
const SILENCE_MS = 60_000;
/** Whatever ends the agent so often may be the request itself. */
const MAX_SENDINGS = 10;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1_000;

export interface AgentClientOptions {
  /** Path of the agent's socket. */
  readonly socket: string;
  /** How long requests wait for an agent that cannot be reached. */
  readonly patienceMs?: number;
  /** A request of which the connected agent says nothing for so long is given up. */
  readonly silenceMs?: number;
}

interface Pending {
  readonly operation: Operation;
  readonly frame: Buffer;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  silence: NodeJS.Timeout | undefined;
  /** How often it was sent. */
  sendings: number;
}

/**
 * Requests in flight over one connection, which is made when it is needed and made again when it breaks. What is
 * unanswered then is sent again: every request may be repeated, so a restart of the agent is only a pause.
 */
export class AgentConversation {
  readonly #pending = new Map<number, Pending>();
  readonly #options: Required<AgentClientOptions>;
  #link: AgentLink | undefined;
  #lastId = 0;
  #attempts = 0;
  /** When the agent was last seen, or first missed; undefined while connected or idle. */
  #missingSince: number | undefined;
  /** Whether this process ever spoke to it. */
  #wasReached = false;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: AgentClientOptions) {
    this.#options = { patienceMs: PATIENCE_MS, silenceMs: SILENCE_MS, ...options };
  }

  /** Rejects with the agent's own error, or UNAVAILABLE saying why there is no answer and the remedy. */
  ask<Name extends Operation>(
    operation: Name,
    parameters: Parameters<Name>,
    signal?: AbortSignal,
  ): Promise<Result<Name>> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(this.#unavailable(new Error('this process is ending')));
      if (signal?.aborted) return reject(signal.reason as Error);
      const id = this.#nextId();
      const origin = tracedRequest()?.requestId;
      const request = { operation, parameters, ...(origin !== undefined && { origin }) };
      const frame = encodeFrame({
        kind: 'request',
        id,
        body: encodeRequest(request as AgentRequest),
      });
      const abort = (): void => this.#settle(id)?.reject(signal?.reason as Error);
      signal?.addEventListener('abort', abort, { once: true });
      const forget = (): void => signal?.removeEventListener('abort', abort);
      this.#pending.set(id, {
        operation,
        frame,
        resolve: (result) => (forget(), resolve(result)),
        reject: (error) => (forget(), reject(error)),
        silence: undefined,
        sendings: 0,
      });
      if (this.#link?.isUp) this.#send(id);
      else this.#connect();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#rejectAll(this.#unavailable(new Error('this process is ending')));
    this.#link?.cut(new Error('closed'));
  }

  #nextId(): number {
    do this.#lastId = this.#lastId >= MAX_REQUEST_ID ? 1 : this.#lastId + 1;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  #connect(): void {
    if (this.#link || this.#retry || this.#isClosed) return;
    this.#missingSince ??= Date.now();
    const link = new AgentLink(this.#options.socket, {
      up: () => this.#up(),
      frame: (frame) => this.#receive(frame),
      lost: (reason) => this.#lost(reason),
    });
    this.#link = link;
  }

  #up(): void {
    if (this.#attempts > 0) log.info('The agent is back', { resent: this.#pending.size });
    this.#attempts = 0;
    this.#missingSince = undefined;
    this.#wasReached = true;
    for (const id of this.#pending.keys()) this.#send(id);
  }

  #send(id: number): void {
    const pending = this.#pending.get(id);
    if (!pending || !this.#link) return;
    pending.sendings += 1;
    if (pending.sendings > MAX_SENDINGS) {
      const reason = new Error(
        `it ended ${MAX_SENDINGS} times before it answered. Look at its log`,
      );
      this.#settle(id)?.reject(this.#unavailable(reason));
      return;
    }
    this.#link.hold(true);
    this.#link.send(pending.frame);
    this.#watchSilence(id, pending);
  }

  #watchSilence(id: number, pending: Pending): void {
    clearTimeout(pending.silence);
    const { silenceMs } = this.#options;
    pending.silence = setTimeout(() => {
      const reason = new Error(`it has not answered for ${silenceMs / 1000} s`);
      this.#settle(id)?.reject(this.#unavailable(reason));
    }, silenceMs);
  }

  #receive({ kind, id, body }: Frame): void {
    if (id === 0 && kind === 'failure') {
      this.#link?.cut(decodeFailure(body));
      return;
    }
    const pending = this.#pending.get(id);
    // The answer to what was given up.
    if (!pending) return;
    if (kind === 'working') {
      this.#watchSilence(id, pending);
      return;
    }
    this.#settle(id);
    try {
      if (kind === 'failure') pending.reject(decodeFailure(body));
      else {
        const codec: Codec<unknown> = REQUESTS[pending.operation].result;
        pending.resolve(codec.decode(body) as never);
      }
    } catch (error) {
      // A CodecError: the agent is of another release, or none.
      pending.reject(this.#unavailable(error as Error));
    }
  }

  /** Tries again while somebody waits, as long as patience lasts. */
  #lost(reason: Error): void {
    this.#link = undefined;
    for (const pending of this.#pending.values()) clearTimeout(pending.silence);
    if (!this.#wasReached && isErrno(reason, Errno.ENOENT)) this.#rejectOptional(reason);
    if (this.#pending.size === 0) {
      this.#missingSince = undefined;
      return;
    }
    this.#missingSince ??= Date.now();
    const isOver = Date.now() - this.#missingSince >= this.#options.patienceMs;
    if (isOver || isFinal(reason)) {
      this.#attempts = 0;
      this.#rejectAll(isStorageError(reason, 'FORBIDDEN') ? reason : this.#unavailable(reason));
      return;
    }
    if (this.#attempts === 0) log.warn('The agent cannot be reached', { reason: reason.message });
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#pending.size > 0) this.#connect();
    }, pauseMs);
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    clearTimeout(pending?.silence);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#link?.hold(false);
    return pending;
  }

  /**
   * Where no agent has ever been there is none to wait for: on a volume that can do without, removals are tried with
   * one in the hope that it is there.
   */
  #rejectOptional(reason: Error): void {
    for (const [id, { operation }] of this.#pending) {
      if (operation === 'remove-tree') this.#settle(id)?.reject(this.#unavailable(reason));
    }
  }

  #rejectAll(error: Error): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    for (const id of this.#pending.keys()) this.#settle(id)?.reject(error);
  }

  #unavailable(reason: Error): StorageError {
    return unavailable(this.#options.socket, reason);
  }
}
