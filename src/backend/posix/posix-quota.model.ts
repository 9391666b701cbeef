import { StorageError } from '../../errors/storage-error.js';
import type { QuotaModel, QuotaStatus } from '../contract/quota-model.js';

const UNKNOWN: QuotaStatus = { usedBytes: null, limitBytes: null };

/**
 * Quota scopes as plain directories (protocol section 6.2): nothing is known of them, a limit is accepted and
 * has no effect. A single vfolder has no quota at all.
 */
export class PosixQuotaModel implements QuotaModel {
  readonly scopeMode = 0o755;
  readonly enforcesScopes = false;
  readonly enforcesVFolders = false;
  readonly enforcesLate = false;
  readonly usageLagMs = 0;

  initialiseScope(): Promise<void> {
    return Promise.resolve();
  }

  describeScope(): Promise<QuotaStatus> {
    return Promise.resolve(UNKNOWN);
  }

  updateScope(): Promise<void> {
    return Promise.resolve();
  }

  releaseScope(): Promise<void> {
    return Promise.resolve();
  }

  /** A limit asked for when the vfolder is made is accepted like that of a scope. */
  initialiseVFolder(): Promise<void> {
    return Promise.resolve();
  }

  describeVFolder(): Promise<QuotaStatus> {
    return Promise.reject(noVFolderQuota());
  }

  updateVFolder(): Promise<void> {
    return Promise.reject(noVFolderQuota());
  }

  releaseVFolder(): Promise<void> {
    return Promise.resolve();
  }
}

function noVFolderQuota(): StorageError {
  return new StorageError('UNSUPPORTED', 'This backend has no quota of single vfolders', {
    subject: 'volume',
  });
}
