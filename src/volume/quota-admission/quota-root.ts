import type { QuotaModel, QuotaStatus } from '../../backend/contract/quota-model.js';
import { scopePath, vfolderPath } from '../ids/layout.js';
import type { VFolderId } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';

/** The directory whose limit binds what is uploaded to a vfolder. */
export interface QuotaRoot {
  /** Unique on the volume, and fit for a file name. */
  readonly name: string;
  /** How far its usage may be behind, milliseconds; see `QuotaModel`. */
  readonly usageLagMs: number;
  readonly enforcesLate: boolean;
  describe(): Promise<QuotaStatus>;
}

/** Of a scoped id its scope, of an unscoped one the vfolder itself; `null` where the backend enforces no such limit. */
export function quotaRootOf(volume: Volume, id: VFolderId): QuotaRoot | null {
  const { quota } = volume.strategies;
  return id.scope === null ? vfolderRoot(quota, id) : scopeRoot(quota, id);
}

function scopeRoot(quota: QuotaModel, { scope }: VFolderId): QuotaRoot | null {
  if (scope === null || !quota.enforcesScopes) return null;
  return {
    name: `scope-${scope.pathname}`,
    usageLagMs: quota.usageLagMs,
    enforcesLate: quota.enforcesLate,
    describe: () => quota.describeScope(scopePath(scope)),
  };
}

function vfolderRoot(quota: QuotaModel, id: VFolderId): QuotaRoot | null {
  if (!quota.enforcesVFolders) return null;
  return {
    name: `vfolder-${id.folder}`,
    usageLagMs: quota.usageLagMs,
    enforcesLate: quota.enforcesLate,
    describe: () => quota.describeVFolder(vfolderPath(id)),
  };
}
