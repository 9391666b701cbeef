import type { Socket } from 'node:net';
import type { AbstractVolumeAgent } from '../../backend/contract/volume-agent.js';
import { bytesToPath } from '../../grammar/path-bytes.js';
import { isStorageError, StorageError } from '../../errors/storage-error.js';
import { isErrno } from '../../native/errno.js';
import type { PeerCredentials } from '../../native/peer-credentials.js';
import { loggerFor } from '../../observability/logger.js';
import { CodecError } from '../protocol/codec.js';
import { encodeFailure } from '../protocol/failure.js';
import { encodeFrame, FrameReader, ProtocolError, type Frame } from '../protocol/frame.js';
import { decodeRequest, type AgentRequest, type Operation } from '../protocol/requests.js';
import { carryOut } from './dispatch.js';

const log = loggerFor('agent');

/** One volume's part of the agent: bounds what is in flight there, and how long its callers wait. */
export interface VolumeShare {
  /** Rejects with StorageError UNAVAILABLE when the share is exhausted, or `work` takes too long. */
  run<T>(operation: string, work: () => Promise<T>, deadlineMs: number): Promise<T>;
}

/** What sessions have in common; read again for each request, since volumes come and go. */
export interface SessionSurroundings {
  readonly agent: AbstractVolumeAgent;
  shareOf(volume: string): VolumeShare | undefined;
  /** Deadline of everything but the removal of trees. */
  readonly deadlineMs: number;
  /** Reading from a peer pauses while it waits for so many answers. */
  readonly maxInFlight: number;
  /** How often a peer is told that a long request is still being worked on. */
  readonly workingIntervalMs: number;
}

interface Running {
  readonly controller: AbortController;
  operation?: Operation;
}

/** One connection of a peer that may use the agent. */
export class Session {
  readonly #inFlight = new Map<number, Running>();
  readonly #reader = new FrameReader();
  readonly #heartbeat: NodeJS.Timeout;
  #isEnding = false;
  readonly #idle = new Set<() => void>();

  constructor(
    private readonly socket: Socket,
    private readonly peer: PeerCredentials,
    private readonly surroundings: SessionSurroundings,
  ) {
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // What has not been answered is asked again by a proxy that lives, and of no use to one that does not.
    socket.on('close', () => this.#abort());
    socket.on('error', (error) => log.debug('Connection lost', { err: error, pid: peer.pid }));
    socket.on('drain', () => this.#pump());
    this.#heartbeat = setInterval(() => this.#tellWorking(), surroundings.workingIntervalMs);
  }

  /**
   * Takes no more requests, ends when those it has are answered, at the latest after `deadlineMs`. Removals of trees
   * are stopped and stay unanswered, for the proxy to ask again elsewhere.
   */
  async end(deadlineMs: number): Promise<void> {
    this.#isEnding = true;
    this.socket.pause();
    for (const { operation, controller } of this.#inFlight.values()) {
      if (operation === 'remove-tree') controller.abort(new Error('the agent ends'));
    }
    if (this.#inFlight.size > 0) await this.#idleWithin(deadlineMs);
    this.socket.destroySoon();
  }

  #take(chunk: Buffer): void {
    this.#reader.push(chunk);
    this.#pump();
  }

  /** Takes up requests that have come, as long as there is room, and reads on or not. */
  #pump(): void {
    try {
      while (!this.#isEnding && !this.#isFull) {
        const frame = this.#reader.next();
        if (!frame) break;
        this.#receive(frame);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.warn('A peer does not speak the protocol', { ...this.#who, reason: error.message });
      this.#refuse(error.message);
    }
    if (this.#isEnding || this.#isFull) this.socket.pause();
    else this.socket.resume();
  }

  /** A peer that asks more than is answered, or does not read its answers, waits. */
  get #isFull(): boolean {
    return this.#inFlight.size >= this.surroundings.maxInFlight || this.socket.writableNeedDrain;
  }

  #receive({ kind, id, body }: Frame): void {
    if (kind !== 'request') throw new ProtocolError(`a ${kind} is not for the agent`);
    if (id === 0 || this.#inFlight.has(id)) throw new ProtocolError(`request id ${id} is taken`);
    const running: Running = { controller: new AbortController() };
    this.#inFlight.set(id, running);
    void this.#answer(id, body, running).finally(() => {
      this.#inFlight.delete(id);
      if (this.#inFlight.size === 0) for (const done of this.#idle) done();
      if (!this.socket.destroyed) this.#pump();
    });
  }

  /** Never rejects. */
  async #answer(id: number, body: unknown, running: Running): Promise<void> {
    const startedAt = performance.now();
    const { signal } = running.controller;
    let request: AgentRequest | undefined;
    let failure: unknown;
    let answer: Frame;
    try {
      request = decodeRequest(body);
      running.operation = request.operation;
      answer = { kind: 'result', id, body: await this.#run(request, signal) };
    } catch (error) {
      failure = translated(error);
      answer = { kind: 'failure', id, body: encodeFailure(failure) };
    }
    const isAbandoned = signal.aborted;
    this.#record(id, request, performance.now() - startedAt, isAbandoned, failure);
    if (!isAbandoned) this.#send(answer);
  }

  #run(request: AgentRequest, signal: AbortSignal): Promise<unknown> {
    const { volume } = request.parameters;
    const { agent, deadlineMs } = this.surroundings;
    const share = this.surroundings.shareOf(volume);
    if (share === undefined) throw unknownVolume(volume);
    const work = (): Promise<unknown> => carryOut(agent, request, signal);
    // It takes as long as the tree is large, in threads that only this volume has.
    return request.operation === 'remove-tree'
      ? work()
      : share.run(request.operation, work, deadlineMs);
  }

  /** One line for each request, for audit. */
  #record(
    id: number,
    request: AgentRequest | undefined,
    elapsedMs: number,
    isAbandoned: boolean,
    failure: unknown,
  ): void {
    const facts = {
      request: id,
      operation: request?.operation,
      volume: request?.parameters.volume,
      ...(request &&
        'path' in request.parameters && { path: bytesToPath(request.parameters.path) }),
      ...(request?.origin !== undefined && { origin: request.origin }),
      ...this.#who,
      outcome: isAbandoned ? 'abandoned' : outcomeOf(failure),
      elapsed_ms: Math.round(elapsedMs * 10) / 10,
    };
    if (failure === undefined || isAbandoned) log.info('Request', facts);
    else if (isErrno(failure) || isStorageError(failure)) {
      log.warn('Request', { ...facts, reason: failure.message });
    } else log.error('Request', { ...facts, err: failure });
  }

  get #who() {
    return { peer_pid: this.peer.pid, peer_uid: this.peer.uid };
  }

  #send(frame: Frame): void {
    if (this.socket.writable) this.socket.write(encodeFrame(frame));
  }

  /** Says why, and ends the connection: what follows on it cannot be understood. */
  #refuse(reason: string): void {
    this.#isEnding = true;
    const error = new StorageError('INVALID_ARGUMENT', reason);
    this.#send({ kind: 'failure', id: 0, body: encodeFailure(error) });
    this.socket.destroySoon();
  }

  #tellWorking(): void {
    for (const id of this.#inFlight.keys()) this.#send({ kind: 'working', id, body: null });
  }

  #abort(): void {
    clearInterval(this.#heartbeat);
    for (const { controller } of this.#inFlight.values()) {
      controller.abort(new Error('connection lost'));
    }
  }

  async #idleWithin(deadlineMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#idle.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

function translated(error: unknown): unknown {
  return error instanceof CodecError ? new StorageError('INVALID_ARGUMENT', error.message) : error;
}

function outcomeOf(failure: unknown): string {
  if (failure === undefined) return 'done';
  return isErrno(failure) || isStorageError(failure) ? failure.code : 'INTERNAL';
}

function unknownVolume(volume: string): StorageError {
  return new StorageError(
    'INVALID_ARGUMENT',
    `the agent has no volume "${volume}"; add it to the agent's configuration and reload it`,
    { subject: 'volume', volume },
  );
}
