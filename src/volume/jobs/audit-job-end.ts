import { audit } from '../../observability/audit/audit.js';
import type { AuditResult } from '../../observability/audit/audit-record.js';
import type { JobState } from './job.js';
import type { JobRecord } from './job-record.js';

const RESULTS: Readonly<Partial<Record<JobState, AuditResult>>> = {
  done: 'ok',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** As in the record of the request, which says how many were left out. */
const MAX_PATHS = 100;

/** Leaves the record of a job that has ended. The request that asked for it left one of its own, with the same job. */
export function auditJobEnd(record: JobRecord): void {
  const { id, kind, volume, vfolder, source, progress, attempts, error, manifest } = record;
  const endedAt = record.endedAt ?? new Date();
  audit({
    plane: 'background',
    operation: `job.${kind}`,
    result: RESULTS[record.state] ?? 'failed',
    durationMs: endedAt.getTime() - record.createdAt.getTime(),
    volume,
    vfolder,
    job: id,
    ...(manifest.kind === 'delete_files' && { paths: manifest.relpaths.slice(0, MAX_PATHS) }),
    details: {
      ...(source && { source_volume: source.volume, source_vfolder: source.vfolder }),
      entries: progress.entries,
      bytes: progress.bytes,
      attempts,
      ...(error && { error: error.code }),
    },
  });
}
