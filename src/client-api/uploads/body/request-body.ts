import type { FastifyReply, FastifyRequest } from 'fastify';
import { inviteBody } from '../../../http/expectation.js';
import type { BodySource } from '../../../volume/uploads/body-source.js';
import { StreamBody } from '../../../volume/uploads/stream-body.js';
import { SocketBody } from './socket-body.js';
import { TakenConnection } from './taken-connection.js';
import '../../../http/fastify-types.js';

/** With less to come, setting up the direct way costs what it saves. */
const MIN_DIRECT_BYTES = 1024 * 1024;

/** The body of an upload request, which is not read before somebody wants it. */
export class RequestBody {
  #source: BodySource;

  constructor(
    private readonly request: FastifyRequest,
    private readonly reply: FastifyReply,
  ) {
    this.#source = new StreamBody(request.raw);
  }

  /** For whoever throws it away. */
  get source(): BodySource {
    return this.#source;
  }

  /**
   * The body is wanted: invites a client that waits for that (`Expect: 100-continue`), and chooses the cheapest way
   * to read what it sends. Once.
   */
  open(): BodySource {
    const { raw: request, server } = this.request;
    inviteBody(request);
    const connection = TakenConnection.take(
      {
        request,
        response: this.reply.raw,
        server: server.server,
        drainSignal: server.drainSignal,
      },
      MIN_DIRECT_BYTES,
    );
    if (connection) this.#source = new SocketBody(connection);
    return this.#source;
  }
}
