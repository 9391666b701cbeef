import type { TreeUsage } from '../../backend/contract/tree-operations.js';
import { StorageError } from '../../errors/storage-error.js';
import { UPLOAD_DIRECTORY } from '../ids/layout.js';
import type { VFolderId } from '../ids/vfolder-id.js';
import { quotaRootOf } from '../quota-admission/quota-root.js';
import type { Volume } from '../volume.js';

const UPLOADS = Buffer.from(UPLOAD_DIRECTORY);

/** What a clone of the vfolder will hold: everything but unfinished uploads. */
export async function cloneableUsage(
  volume: Volume,
  id: VFolderId,
  signal: AbortSignal,
): Promise<TreeUsage> {
  return await volume.strategies.trees.usage(volume.locate(id), { signal, omit: [UPLOADS] });
}

/**
 * Refuses a clone that would not fit, before anything is copied. Reflinks might make it fit all the same; but
 * they share space only until somebody writes.
 *
 * @throws StorageError NO_SPACE or QUOTA_EXCEEDED
 */
export async function assertSpace(
  volume: Volume,
  destination: VFolderId,
  bytes: number,
): Promise<void> {
  const { telemetry } = volume.strategies;
  const { capacityBytes, usedBytes } = await volume.io(() => telemetry.capacity());
  // -1: unknown.
  if (capacityBytes >= 0 && usedBytes >= 0 && bytes > capacityBytes - usedBytes) {
    throw new StorageError('NO_SPACE', 'the volume has too little space for the clone', {
      subject: 'volume',
      volume: volume.name,
    });
  }
  const root = quotaRootOf(volume, destination);
  if (root === null) return;
  const { limitBytes, usedBytes: chargedBytes } = await volume.io(() => root.describe());
  if (limitBytes === null || chargedBytes === null) return;
  if (bytes > limitBytes - chargedBytes) {
    throw new StorageError('QUOTA_EXCEEDED', 'the quota has too little left for the clone', {
      subject: 'quota-scope',
      volume: volume.name,
      vfid: destination.toString(),
      data: { used_bytes: chargedBytes, limit_bytes: limitBytes, requested_bytes: bytes },
    });
  }
}
