import type { FastifyInstance } from 'fastify';

/**
 * Headers for every answer, errors included. Set on the raw response, so that answers written beside
 * Fastify have them too; a handler may override each.
 */
export function installSecurityHeaders(fastify: FastifyInstance, tls: boolean): void {
  fastify.addHook('onRequest', (_request, reply, done) => {
    const { raw } = reply;
    raw.setHeader('x-content-type-options', 'nosniff');
    raw.setHeader('referrer-policy', 'no-referrer');
    raw.setHeader('x-frame-options', 'DENY');
    // Tenants' files must never run as a page of this origin, whatever their type.
    raw.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'; sandbox");
    if (tls) raw.setHeader('strict-transport-security', 'max-age=31536000');
    done();
  });
}
