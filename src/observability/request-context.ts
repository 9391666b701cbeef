import { AsyncLocalStorage } from 'node:async_hooks';
import type { AuditSubject } from './audit/audit-record.js';

/** What is known about the request that the current code runs for. */
export interface RequestContext {
  readonly requestId: string;
  readonly plane: string;
  /** Address of the client, as far as trusted proxies vouch for it. */
  readonly peer: string;
  /** Name of the operation, once a route has matched. */
  operation?: string;
  /** Who asks: `secret:<label>` or `token:<fingerprint>`, once that is known. */
  principal?: string;
  /** What it is about, for the audit trail. */
  subject?: AuditSubject;
  /** It changed something although its operation only reads: the audit trail tells of it. */
  changed?: boolean;
  /** `error_code` of the answer, when it is an error. */
  errorCode?: string;
  /** Bytes written to the client's socket behind Node's back (`sendfile`). */
  bytesBesideNode: number;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work`, and everything it starts, on behalf of a request. */
export function runInRequest<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** The current request, or `undefined` in background work. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** Something was changed for the current request, whatever its operation; without effect elsewhere. */
export function noteChange(): void {
  const request = currentRequest();
  if (request) request.changed = true;
}

/** Adds to what the audit trail will say of the current request; without effect elsewhere. */
export function noteForAudit(subject: AuditSubject): void {
  const request = currentRequest();
  if (request) request.subject = { ...request.subject, ...subject };
}
