import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { onResponseEnd } from './response-end.js';
import './fastify-types.js';

/** Lets a listener end politely: running requests finish, clients learn to connect elsewhere. */
export interface Drain {
  readonly draining: boolean;
  /** Requests being served now. */
  readonly active: number;
  /**
   * From now on answers say `Connection: close` and idle connections are closed; endless answers (event streams)
   * end by themselves on `request.server.drainSignal`. Idempotent.
   */
  begin(): void;
  /** Resolves when no request is being served, or after `timeoutMs`; tells which. */
  settled(timeoutMs: number): Promise<boolean>;
}

export function installDrain(fastify: FastifyInstance): Drain {
  const responses = new Set<ServerResponse>();
  const waiting = new Set<() => void>();
  const controller = new AbortController();
  // As many listeners as there are connections that wait for it.
  setMaxListeners(0, controller.signal);
  fastify.decorate('drainSignal', controller.signal);
  fastify.addHook('onRequest', (request, reply, done) => {
    const { raw } = reply;
    responses.add(raw);
    if (controller.signal.aborted) raw.shouldKeepAlive = false;
    onResponseEnd(raw, request.raw.socket, () => {
      responses.delete(raw);
      if (responses.size === 0) waiting.forEach((settle) => settle());
    });
    done();
  });
  return {
    get draining() {
      return controller.signal.aborted;
    },
    get active() {
      return responses.size;
    },
    begin() {
      for (const response of responses) response.shouldKeepAlive = false;
      fastify.server.closeIdleConnections();
      controller.abort();
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
