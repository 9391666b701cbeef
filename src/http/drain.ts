import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** Lets a listener end politely: running requests finish, clients learn to connect elsewhere. */
export interface Drain {
  readonly draining: boolean;
  /** Requests being served now. */
  readonly active: number;
  /** From now on answers say `Connection: close` and idle connections are closed. Idempotent. */
  begin(): void;
  /** Resolves when no request is being served, or after `timeoutMs`; tells which. */
  settled(timeoutMs: number): Promise<boolean>;
}

export function installDrain(fastify: FastifyInstance): Drain {
  const responses = new Set<ServerResponse>();
  const waiting = new Set<() => void>();
  let draining = false;
  fastify.addHook('onRequest', (_request, reply, done) => {
    const { raw } = reply;
    responses.add(raw);
    if (draining) raw.shouldKeepAlive = false;
    raw.once('close', () => {
      responses.delete(raw);
      if (responses.size === 0) waiting.forEach((settle) => settle());
    });
    done();
  });
  return {
    get draining() {
      return draining;
    },
    get active() {
      return responses.size;
    },
    begin() {
      draining = true;
      for (const response of responses) response.shouldKeepAlive = false;
      fastify.server.closeIdleConnections();
    },
    settled: (timeoutMs) =>
      new Promise((resolve) => {
        if (responses.size === 0) {
          resolve(true);
          return;
        }
        const finish = (quiet: boolean): void => {
          clearTimeout(timer);
          waiting.delete(onQuiet);
          resolve(quiet);
        };
        const onQuiet = (): void => finish(true);
        const timer = setTimeout(() => finish(false), timeoutMs);
        waiting.add(onQuiet);
      }),
  };
}
