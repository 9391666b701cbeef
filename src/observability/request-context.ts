import { AsyncLocalStorage } from 'node:async_hooks';
import type { AuditSubject } from './audit/audit-record.js';

/** What is known about a request that is being served. */
export interface RequestContext {
  readonly requestId: string;
  readonly plane: string;
  /** Address of the client, as far as trusted proxies vouch for it. */
  readonly peer: string;
  /** Name of the operation, once a route has matched. */
  operation?: string;
  /** Who asks: `secret:<label>` or `token:<fingerprint>`, once that is known. */
  principal?: string;
  /** Its parameters as they came, which the audit trail tells of. */
  parameters?: Readonly<Record<string, unknown>>;
  /** What else it is about, for the audit trail. */
  subject?: AuditSubject;
  /** It changed something although its operation only reads: the audit trail tells of it. */
  changed?: boolean;
  /** `error_code` of the answer, when it is an error. */
  errorCode?: string;
}

/** Members of log lines that tell which request they belong to. */
export function requestFacts({ requestId, plane }: RequestContext): object {
  return { request_id: requestId, plane };
}

/** Adds to what the audit trail will say of the request. */
export function noteForAudit(request: RequestContext, subject: AuditSubject): void {
  request.subject = { ...request.subject, ...subject };
}

const storage = new AsyncLocalStorage<RequestContext>();
let traced = 0;

/**
 * Runs `work`, and all that it starts, on behalf of a request: log lines and the agent then name the request wherever
 * they are reached from. Before Node.js 24 every promise of the process costs more while anybody uses this, by 15 % of a
 * small request: it is switched off when the functions returned have been called for all that were traced.
 */
export function traceRequest(context: RequestContext, work: () => void): () => void {
  traced += 1;
  storage.run(context, work);
  return () => {
    traced -= 1;
    if (traced === 0) storage.disable();
  };
}

/** The request that is traced here; `undefined` in background work and for operations that are not traced. */
export function tracedRequest(): RequestContext | undefined {
  return storage.getStore();
}
