import type { RequestContext } from '../request-context.js';

/** What an operation was about, as far as it was said before the operation began. Text as the client wrote it. */
export interface AuditSubject {
  readonly volume?: string;
  /** The vfolder id. */
  readonly vfolder?: string;
  readonly quotaScope?: string;
  /** Relative to the vfolder. */
  readonly paths?: readonly string[];
  /** Further parameters by their name on the wire: `new_name`, `recursive`, `size` and such. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Id of the job that the operation began, or is about. */
  readonly job?: string;
  /** Fingerprint of the transfer token that was issued. */
  readonly issuedToken?: string;
}

export type AuditResult = 'ok' | 'refused' | 'failed' | 'aborted' | 'cancelled';

/** One operation that changed something, or tried to. `docs/security.md` documents the format. */
export interface AuditEntry extends AuditSubject {
  /** `client`, `manager`, or `background` for what no request waits for. */
  readonly plane: string;
  readonly operation: string;
  readonly result: AuditResult;
  readonly durationMs: number;
  /** Who: `secret:<label>`, `token:<fingerprint>`, or `none`. */
  readonly principal?: string;
  readonly peer?: string;
  readonly requestId?: string;
  readonly status?: number;
  readonly errorCode?: string;
}

/** What the request that is being served says of itself. */
export function auditedRequest(request: RequestContext): Partial<AuditEntry> {
  const { plane, peer, requestId, principal = 'none', errorCode, subject } = request;
  return { plane, peer, requestId, principal, ...subject, ...(errorCode && { errorCode }) };
}

/** The record as it is written, without its place in the order of records. */
export function auditLine(entry: AuditEntry, order: { worker: number; seq: number }): string {
  const { details } = entry;
  return JSON.stringify({
    time: new Date().toISOString(),
    component: 'audit',
    pid: process.pid,
    worker: order.worker,
    seq: order.seq,
    plane: entry.plane,
    operation: entry.operation,
    result: entry.result,
    principal: entry.principal,
    peer: entry.peer,
    volume: entry.volume,
    vfolder: entry.vfolder,
    quota_scope: entry.quotaScope,
    paths: entry.paths,
    ...(details && Object.keys(details).length > 0 && { details }),
    job: entry.job,
    issued_token: entry.issuedToken,
    status: entry.status,
    error_code: entry.errorCode,
    request_id: entry.requestId,
    duration_ms: Math.round(entry.durationMs * 1000) / 1000,
  });
}
