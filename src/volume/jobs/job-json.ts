import { JOB_STATES, NO_PROGRESS, type Job } from './job.js';
import { isJobKind, type JobManifest, type JobRecord } from './job-record.js';

/** Raised when older proxies could no longer read what this one writes. */
const FORMAT = 1;

const DATES = ['createdAt', 'startedAt', 'updatedAt', 'endedAt', 'retryAt'] as const;

/**
 * The text of a record file. The volume is left out, since the file lies on it and operators rename volumes;
 * times are ISO 8601 in UTC.
 */
export function encodeRecord(record: JobRecord): string {
  const { volume: _, ...rest } = record;
  return JSON.stringify({ format: FORMAT, ...rest });
}

/** `undefined` for what is no record: cut short by a power failure, or of a format not known here. */
export function decodeRecord(text: string, volume: string): JobRecord | undefined {
  const value = parseObject(text);
  if (value?.['format'] !== FORMAT) return undefined;
  const { format: _, ...rest } = value;
  return reviveRecord({ ...rest, volume });
}

function reviveRecord(value: Record<string, unknown>): JobRecord | undefined {
  const job = reviveJob(value);
  const { manifest } = value;
  if (job === undefined || !isObject(manifest) || manifest['kind'] !== job.kind) return undefined;
  return {
    ...job,
    manifest: manifest as unknown as JobManifest,
    owner: (value['owner'] ?? null) as JobRecord['owner'],
    takeovers: Number(value['takeovers'] ?? 0),
    failures: Number(value['failures'] ?? 0),
    retryAt: reviveDates(value)['retryAt'] ?? null,
    published: value['published'] === true,
  };
}

/** A job as it came over the worker bus; `undefined` when it is not one. */
export function reviveJob(value: unknown): Job | undefined {
  if (!isObject(value) || !isJobKind(value['kind'])) return undefined;
  const { id, vfolder, state, volume } = value;
  if (typeof id !== 'string' || typeof vfolder !== 'string') return undefined;
  if (typeof volume !== 'string' || !JOB_STATES.some((known) => known === state)) return undefined;
  const dates = reviveDates(value);
  if (!(dates['createdAt'] instanceof Date)) return undefined;
  return {
    id,
    kind: value['kind'],
    state: state as Job['state'],
    volume,
    vfolder,
    source: (value['source'] ?? null) as Job['source'],
    progress: { ...NO_PROGRESS, ...(value['progress'] as object) },
    createdAt: dates['createdAt'],
    startedAt: dates['startedAt'] ?? null,
    updatedAt: dates['updatedAt'] ?? dates['createdAt'],
    endedAt: dates['endedAt'] ?? null,
    attempts: Number(value['attempts'] ?? 0),
    error: (value['error'] ?? null) as Job['error'],
  };
}

function reviveDates(value: Record<string, unknown>): Partial<Record<string, Date>> {
  const dates: Partial<Record<string, Date>> = {};
  for (const member of DATES) {
    const text = value[member];
    const date = typeof text === 'string' ? new Date(text) : undefined;
    if (date && !Number.isNaN(date.getTime())) dates[member] = date;
  }
  return dates;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
