import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** For every answer; a handler may override each. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  // Tenants' files must never run as a page of this origin, whatever their type.
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
};

const LIST = Object.entries(HEADERS);

/** The same as text, for answers that are written without Node's help. */
export const SECURITY_HEADER_LINES = LIST.map(([name, value]) => `${name}: ${value}\r\n`).join('');

/**
 * Puts the headers on every answer, errors included: on the raw response, before anything else sees the request,
 * so that answers written beside Fastify, and those its router gives by itself, have them too.
 */
export function installSecurityHeaders(fastify: FastifyInstance, tls: boolean): void {
  const { server } = fastify;
  server.prependListener('request', (_request, response: ServerResponse) => {
    for (const [name, value] of LIST) response.setHeader(name, value);
    if (tls) response.setHeader('strict-transport-security', 'max-age=31536000');
  });
}
