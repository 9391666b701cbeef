import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '../../errors/error-code.js';
import { StorageError } from '../../errors/storage-error.js';
import { dashedUuid, uuidHex } from '../ids/uuid.js';

/** Dashed lower-case UUID; managers know it as `bgtask_id`. */
export type JobId = string;

/** The task names of protocol section 8.1. */
export const JOB_KINDS = ['delete_vfolder', 'clone_vfolder', 'delete_files'] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/**
 * `pending` jobs wait for their turn, for the next attempt after a failure, or for the proxy to start again.
 * The last three are ends: a job leaves none of them.
 */
export const JOB_STATES = ['pending', 'running', 'done', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** What has been gone through so far, by the current attempt. Totals are `null` while unknown. */
export interface JobProgress {
  readonly entries: number;
  readonly bytes: number;
  readonly totalEntries: number | null;
  readonly totalBytes: number | null;
}

export interface JobError {
  readonly code: ErrorCode;
  /** Without host paths. */
  readonly message: string;
}

/** A vfolder as jobs name it: text, for it is stored and published. */
export interface JobFolder {
  readonly volume: string;
  /** The vfolder id as text. */
  readonly vfolder: string;
}

/** A job as anyone outside sees it. */
export interface Job extends JobFolder {
  readonly id: JobId;
  readonly kind: JobKind;
  readonly state: JobState;
  /** What a clone is made of; `null` for other kinds. `volume` and `vfolder` are its destination. */
  readonly source: JobFolder | null;
  readonly progress: JobProgress;
  readonly createdAt: Date;
  /** Start of the first attempt. */
  readonly startedAt: Date | null;
  readonly updatedAt: Date;
  readonly endedAt: Date | null;
  /** How often it was started, resumptions after a restart included. */
  readonly attempts: number;
  /** Why it failed; while it is pending, why the last attempt did. */
  readonly error: JobError | null;
}

export const NO_PROGRESS: JobProgress = {
  entries: 0,
  bytes: 0,
  totalEntries: null,
  totalBytes: null,
};

export function newJobId(): JobId {
  return randomUUID();
}

/** Dashed or plain hex. A text that is no UUID names no job: `undefined`. */
export function parseJobId(text: string): JobId | undefined {
  const hex = uuidHex(text);
  return hex === undefined ? undefined : dashedUuid(hex);
}

/** Whether the state is an end. */
export function isEnd(state: JobState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

export function jobNotFound(id: string): StorageError {
  return new StorageError('NOT_FOUND', `no job has the id "${id}"`, { subject: 'job' });
}
