import type { ProjectLimits, ProjectStatus } from '../../contract/volume-agent.js';
import { StorageError } from '../../../errors/storage-error.js';
import { calls } from '../../../native/calls.js';
import type { DiskQuota } from '../../../native/disk-quota.js';
import { recordLimit } from './directory-record.js';

/** What the filesystem counts and enforces for the project. */
export async function statusOf(fd: number, projectId: number): Promise<ProjectStatus> {
  return (await calls.projectQuota(fd, projectId)) ?? { ...NOTHING, projectId };
}

/**
 * Sets the limits that are given on the project whose root directory `fd` is. One call each, whatever the
 * directory holds.
 */
export async function applyLimits(
  fd: number,
  projectId: number,
  limits: ProjectLimits,
): Promise<void> {
  const current = await calls.projectQuota(fd, projectId);
  const complete = withSoftLimits(limits, current);
  if (Object.keys(complete).length > 0) await calls.setProjectLimits(fd, projectId, complete);
  if (limits.hardBytes !== undefined) await recordLimit(fd, limits.hardBytes);
}

/**
 * The kernel drops a hard limit below the soft one without a word, and the original set both to the same number. So a soft
 * limit that nobody asked about goes when the hard one goes, equals it, or comes below it; a smaller one is
 * the operator's, and stays.
 */
function withSoftLimits(limits: ProjectLimits, current: DiskQuota | null): ProjectLimits {
  return {
    ...limits,
    ...(isOvertaken(limits.hardBytes, limits.softBytes, current?.hardBytes, current?.softBytes) && {
      softBytes: null,
    }),
    ...(isOvertaken(
      limits.hardInodes,
      limits.softInodes,
      current?.hardInodes,
      current?.softInodes,
    ) && { softInodes: null }),
  };
}

type Limit = number | null | undefined;

function isOvertaken(hard: Limit, soft: Limit, currentHard: Limit, currentSoft: Limit): boolean {
  if (hard === undefined || soft !== undefined || !currentSoft) return false;
  return hard === null || currentSoft === currentHard || currentSoft >= hard;
}

/** @throws StorageError INVALID_ARGUMENT for what is no limit, or a soft limit above the hard one */
export function assertLimits(limits: ProjectLimits): void {
  for (const limit of Object.values(limits) as (number | null | undefined)[]) {
    if (limit === null || limit === undefined) continue;
    if (!Number.isSafeInteger(limit) || limit < 1) throw refused('a limit is a number from 1 on');
  }
  const { hardBytes, softBytes, hardInodes, softInodes } = limits;
  if (
    (hardBytes && softBytes && softBytes > hardBytes) ||
    (hardInodes && softInodes && softInodes > hardInodes)
  ) {
    throw refused('a soft limit cannot be above the hard one');
  }
}

function refused(reason: string): StorageError {
  return new StorageError('INVALID_ARGUMENT', reason, {
    subject: 'quota-scope',
    reason: 'quota-config',
  });
}

const NOTHING = {
  usedBytes: 0,
  usedInodes: 0,
  hardBytes: null,
  softBytes: null,
  hardInodes: null,
  softInodes: null,
  bytesGraceEndsAt: null,
  inodesGraceEndsAt: null,
} as const;
