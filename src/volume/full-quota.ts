import type { QuotaStatus } from '../backend/contract/quota-model.js';
import { isStorageError, StorageError, type ErrorDetails } from '../errors/storage-error.js';
import { Errno, isErrno } from '../native/errno.js';
import type { VFolderId } from './ids/vfolder-id.js';
import { quotaRootOf } from './quota-admission/quota-root.js';
import type { Volume } from './volume.js';

/**
 * A write may be refused although a little is left: filesystems reserve whole extents, and room for their own
 * records. What is refused with more than this left was not refused for the quota.
 */
const LEFT_OVER_BYTES = 16 * 1024 * 1024;

/**
 * Some filesystems answer ENOSPC for a full quota as for a full disk. This asks the quota, and returns QUOTA_EXCEEDED with
 * `data: { used_bytes, limit_bytes }` when it is the nearer bound; other errors, and those that say so
 * already, come back as they are. Never rejects.
 */
export async function explainFull(volume: Volume, id: VFolderId, error: unknown): Promise<unknown> {
  if (!isUnexplained(error)) return error;
  const root = quotaRootOf(volume, id);
  if (root === null) return error;
  try {
    const status = await root.describe();
    const { capacityBytes, usedBytes } = await volume.strategies.telemetry.capacity();
    if (!isFull(status, capacityBytes - usedBytes)) return error;
    return quotaExceeded(status, error, { volume: volume.name, vfid: id.toString() });
  } catch {
    return error;
  }
}

/** Runs `work`, whose errors are explained by `explainFull`. */
export async function tellingFullQuota<T>(
  volume: Volume,
  id: VFolderId,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw await explainFull(volume, id, error);
  }
}

function isUnexplained(error: unknown): boolean {
  if (isErrno(error, Errno.ENOSPC, Errno.EDQUOT)) return true;
  return isStorageError(error, 'NO_SPACE', 'QUOTA_EXCEEDED') && error.details.data === undefined;
}

function isFull(status: QuotaStatus, freeBytes: number): boolean {
  const { usedBytes, limitBytes, usedInodes = 0, limitInodes = Infinity } = status;
  if (usedInodes >= limitInodes || isPastGrace(status)) return true;
  if (limitBytes === null || usedBytes === null) return false;
  return limitBytes - usedBytes <= Math.min(freeBytes, LEFT_OVER_BYTES);
}

function isPastGrace({ bytesGraceEndsAt, inodesGraceEndsAt }: QuotaStatus): boolean {
  const ends = Math.min(bytesGraceEndsAt ?? Infinity, inodesGraceEndsAt ?? Infinity);
  return ends * 1_000 <= Date.now();
}

function quotaExceeded(status: QuotaStatus, cause: unknown, where: ErrorDetails): StorageError {
  const details = isStorageError(cause) ? cause.details : { subject: 'entry' as const };
  const { usedBytes, usedInodes, limitInodes, softLimitBytes } = status;
  const limitBytes = isPastGrace(status)
    ? (softLimitBytes ?? status.limitBytes)
    : status.limitBytes;
  const inodesAreFull = usedInodes !== undefined && usedInodes >= (limitInodes ?? Infinity);
  const message = inodesAreFull
    ? `the quota is full: ${usedInodes} of ${limitInodes} files and directories`
    : `the quota is full: ${usedBytes} of ${limitBytes} bytes are used`;
  return new StorageError(
    'QUOTA_EXCEEDED',
    message,
    {
      ...where,
      ...details,
      errno: Errno.EDQUOT,
      data: {
        used_bytes: usedBytes,
        limit_bytes: limitBytes,
        ...(inodesAreFull && { used_inodes: usedInodes, limit_inodes: limitInodes }),
      },
    },
    { cause },
  );
}
