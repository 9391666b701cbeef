import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { StorageError } from '../../errors/storage-error.js';
import { countLimitReached, setConnections } from '../../observability/metrics.js';
import type { Plane } from '../operations.js';
import { onResponseEnd } from '../response-end.js';
import '../fastify-types.js';

/** Beyond the limit a few more are taken, to be told that they are too many; what comes then is cut off. */
const RESERVE = 64;
/**
 * Requests that one connection may have under way. Node parses whatever a client pipelines, ahead of the answers;
 * without a bound one connection could fill the memory. Hardly any client pipelines at all.
 */
const MAX_PIPELINED = 100;

interface Connection {
  /** As accepted: below TLS, if there is any. */
  readonly socket: Socket;
  /** Requests under way. */
  active: number;
  /** Came when all others were at work. */
  readonly surplus: boolean;
}

/**
 * Bounds the connections of a listener, and so its memory and descriptors. Idle ones make room for new ones, the
 * longest idle first, as in nginx: whoever opens thousands and says nothing only displaces its own. Requests are
 * refused, with 503, only when every connection is at work; uploads are not, which wait for their turn anyway.
 */
export function limitConnections(
  fastify: FastifyInstance,
  plane: Plane,
  maxConnections: number,
): void {
  const connections = new Connections(plane, maxConnections);
  const { server } = fastify;
  server.on('connection', (socket: Socket) => connections.opened(socket));
  fastify.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    const connection = connections.of(socket);
    if (connection === undefined) {
      done();
      return;
    }
    connections.began(connection);
    onResponseEnd(reply.raw, socket, () => connections.ended(connection));
    const waits = request.routeOptions.config.body === 'stream';
    done(connection.surplus && !waits ? tooMany(maxConnections) : undefined);
  });
}

class Connections {
  /** By the client's address and port, which TLS leaves as they are. */
  readonly #open = new Map<string, Connection>();
  /** By the socket that requests come on, once one has; TLS has one of its own. */
  readonly #known = new WeakMap<Socket, Connection>();
  /** Those without a request, the longest idle first. */
  readonly #idle = new Set<Connection>();

  constructor(
    private readonly plane: Plane,
    private readonly max: number,
  ) {}

  of(socket: Socket): Connection | undefined {
    const known = this.#known.get(socket) ?? this.#open.get(keyOf(socket));
    if (known) this.#known.set(socket, known);
    return known;
  }

  opened(socket: Socket): void {
    if (this.#open.size >= this.max) this.makeRoom();
    if (this.#open.size >= this.max + RESERVE) {
      countLimitReached(this.plane, 'connections');
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    const connection = { socket, active: 0, surplus: this.#open.size >= this.max };
    this.#open.set(key, connection);
    this.#idle.add(connection);
    this.count();
    socket.once('close', () => {
      if (this.#open.get(key) === connection) this.#open.delete(key);
      this.#idle.delete(connection);
      this.count();
    });
  }

  began(connection: Connection): void {
    connection.active += 1;
    this.#idle.delete(connection);
    if (connection.active <= MAX_PIPELINED) return;
    countLimitReached(this.plane, 'pipelining');
    connection.socket.destroy();
  }

  ended(connection: Connection): void {
    connection.active -= 1;
    if (connection.active === 0 && !connection.socket.destroyed) this.#idle.add(connection);
  }

  private makeRoom(): void {
    const [longestIdle] = this.#idle;
    if (longestIdle === undefined) return;
    countLimitReached(this.plane, 'idle-connections');
    this.forget(longestIdle);
    longestIdle.socket.destroy();
  }

  /** At once: the event that a socket has closed comes later than the next connection may. */
  private forget(connection: Connection): void {
    this.#idle.delete(connection);
    this.#open.delete(keyOf(connection.socket));
  }

  private count(): void {
    setConnections(this.plane, this.#open.size);
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? ''} ${remotePort ?? ''}`;
}

function tooMany(max: number): StorageError {
  return new StorageError('UNAVAILABLE', `All ${max} connections are at work`, {
    subject: 'request',
    reason: 'overloaded',
    headers: { connection: 'close' },
  });
}
