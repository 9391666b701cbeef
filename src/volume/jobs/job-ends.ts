import { StorageError } from '../../errors/storage-error.js';
import { fromSystemError } from '../../errors/from-system-error.js';
import { ERROR_TABLE } from '../../errors/error-code.js';
import { VFolderId } from '../ids/vfolder-id.js';
import type { JobError, JobState } from './job.js';
import type { JobPublisher } from './job-publisher.js';
import { jobOf, type JobRecord } from './job-record.js';

/** Texts of protocol section 8.1. */
const MESSAGES = {
  done: 'Task completed successfully',
  cancelled: 'Task cancelled',
  failed: 'Task failed',
} as const;

export type End = Extract<JobState, 'done' | 'failed' | 'cancelled'>;

/** The record of a job that has ended. */
export function ended(record: JobRecord, state: End, error: JobError | null = null): JobRecord {
  const now = new Date();
  return { ...record, state, error, endedAt: now, updatedAt: now, owner: null, retryAt: null };
}

/** What clients may know of a failure; the log has the rest. */
export function jobError(error: StorageError): JobError {
  return { code: error.code, message: error.message };
}

/** Anything thrown by the work of a job. What was not thrown on purpose is a defect: `INTERNAL`. */
export function asStorageError(error: unknown, record: JobRecord): StorageError {
  const known = fromSystemError(error, { volume: record.volume, vfid: record.vfolder });
  if (known instanceof StorageError) return known;
  return new StorageError('INTERNAL', ERROR_TABLE.INTERNAL.meaning, {}, { cause: error });
}

/** Whether managers wait for the events of this job: those of scoped ids do, others for the answer. */
export function isAnnounced(record: JobRecord): boolean {
  return VFolderId.parse(record.vfolder).scope !== null;
}

/** Tells the end: what happened to the vfolder, then to the job. Rejects when that may not have been heard. */
export async function publishEnd(publisher: JobPublisher, record: JobRecord): Promise<void> {
  await publishFolderEvent(publisher, record);
  const job = jobOf(record);
  const message = endMessage(record);
  if (record.state === 'done') await publisher.jobDone(job, message);
  else if (record.state === 'cancelled') await publisher.jobCancelled(job, message);
  else await publisher.jobFailed(job, message);
}

async function publishFolderEvent(publisher: JobPublisher, record: JobRecord): Promise<void> {
  const job = jobOf(record);
  if (record.kind === 'delete_vfolder' && record.state === 'done') {
    await publisher.vfolderDeleted(job);
  }
  if (record.kind === 'clone_vfolder' && isAnnounced(record)) {
    if (record.state === 'done') await publisher.cloneSucceeded(job);
    else await publisher.cloneFailed(job, endMessage(record));
  }
}

function endMessage({ state, error }: JobRecord): string {
  if (state === 'failed' && error) return error.message;
  return MESSAGES[state as End];
}
