import { createServer, type Server, type Socket } from 'node:net';
import { StorageError } from '../../errors/storage-error.js';
import { peerCredentials, type PeerCredentials } from '../../native/peer-credentials.js';
import { loggerFor } from '../../observability/logger.js';
import { encodeFailure } from '../protocol/failure.js';
import { encodeFrame } from '../protocol/frame.js';
import { listenOn, type Listening, type SocketSettings } from './listen.js';
import { admits, type PeerPolicy } from './peer-policy.js';
import { Session, type SessionSurroundings } from './session.js';

const log = loggerFor('agent');

const MAX_CONNECTIONS = 512;
/** A peer that does not take the reason why it was refused is cut off. */
const REFUSAL_MS = 1_000;

export interface AgentServerOptions extends SessionSurroundings {
  readonly socket: SocketSettings;
  readonly peers: PeerPolicy;
}

/**
 * The agent: carries out the closed set of requests for whoever may ask, each request apart from the others. It keeps
 * nothing between requests, so it may be killed at any time: every request may be repeated, and clients do.
 */
export class AgentServer {
  readonly #server: Server;
  readonly #sessions = new Map<Socket, Session>();
  #listening: Listening | undefined;

  constructor(private readonly options: AgentServerOptions) {
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Resolves when peers can connect. Rejects with Error, saying why the socket cannot be used and the remedy. */
  async start(): Promise<void> {
    this.#listening = await listenOn(this.#server, this.options.socket);
    this.#server.on('error', (error) =>
      log.error('Connections cannot be accepted', { err: error }),
    );
  }

  /** Takes no more requests, and ends when those it has are answered, at the latest after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    this.#server.close();
    await this.#listening?.release();
    await Promise.all([...this.#sessions.values()].map((session) => session.end(deadlineMs)));
  }

  #accept(socket: Socket): void {
    socket.on('error', () => undefined);
    let peer: PeerCredentials;
    try {
      peer = peerCredentials(socket);
    } catch (error) {
      log.warn('A connection without a known peer is refused', { err: error });
      socket.destroy();
      return;
    }
    if (!admits(this.options.peers, peer)) {
      this.#refuse(socket, peer);
      return;
    }
    this.#sessions.set(socket, new Session(socket, peer, this.options));
    socket.once('close', () => this.#sessions.delete(socket));
  }

  #refuse(socket: Socket, { pid, uid, gids }: PeerCredentials): void {
    log.warn('A peer is refused', { peer_pid: pid, peer_uid: uid, peer_gids: gids });
    const error = new StorageError(
      'FORBIDDEN',
      `The agent does not serve uid ${uid}. Add its user to "allowed-users" of [agent] in the agent's configuration`,
    );
    socket.end(encodeFrame({ kind: 'failure', id: 0, body: encodeFailure(error) }));
    // Nothing it says is read.
    socket.pause();
    setTimeout(() => socket.destroy(), REFUSAL_MS).unref();
  }
}
