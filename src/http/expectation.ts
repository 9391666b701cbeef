import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/**
 * Clients that announce a body with `Expect: 100-continue` are told to send it when somebody is going to read it,
 * and not before the request has been looked at: a refused token costs no upload. Node would invite them at once.
 */
export function installExpectation(fastify: FastifyInstance): void {
  const { server } = fastify;
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response);
    const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
    response.writeHead = (...args: unknown[]) => {
      // RFC 9110, section 10.1.1: without an invitation the client may or may not send the body, so whatever
      // comes next on this connection could be either.
      if (waiting.delete(request)) response.shouldKeepAlive = false;
      return writeHead(...args);
    };
    server.emit('request', request, response);
  });
  // RFC 9110 allows 417 here and does not ask for it; other expectations have no meaning to us.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response);
  });
}

/** The client has announced a body that it was not invited to send yet. */
export function awaitsInvitation(request: IncomingMessage): boolean {
  return waiting.has(request);
}

/** The body is about to be read: invites a client that waits for that. */
export function inviteBody(request: IncomingMessage): void {
  const response = waiting.get(request);
  if (response === undefined) return;
  waiting.delete(request);
  if (!response.headersSent) response.writeContinue();
}
