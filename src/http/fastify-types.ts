import type { RequestContext } from '../observability/request-context.js';
import type { Operation } from './operations.js';

/** How a route takes its body: as JSON parameters, not at all, or as the raw stream. */
export type BodyMode = 'json' | 'none' | 'stream';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Name of the operation that the route performs. */
    operation?: Operation;
    /** `json` when absent. */
    body?: BodyMode;
    /** Refuse any query parameter. */
    noQuery?: boolean;
  }
  interface FastifyInstance {
    /** Aborted when the listener begins to drain; event streams end then. */
    drainSignal: AbortSignal;
  }
  interface FastifyRequest {
    /** Set before anything else runs. */
    storageContext: RequestContext;
  }
}
