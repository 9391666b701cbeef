import { Inject, Injectable } from '@nestjs/common';
import type { QuotaStatus } from '../backend/contract/quota-model.js';
import { fromSystemError } from '../errors/from-system-error.js';
import { StorageError } from '../errors/storage-error.js';
import type { Beneath } from '../native/beneath.js';
import { Errno, isErrno } from '../native/errno.js';
import { DOMAIN_SETTINGS, type DomainSettings } from './domain-settings.js';
import { scopePath } from './ids/layout.js';
import type { QuotaScopeId } from './ids/quota-scope-id.js';
import { ScopeDirectory } from './scope-directory.js';
import { VolumeRegistry } from './volume-registry.js';
import type { Volume } from './volume.js';

/**
 * Quota scopes: a directory on the volume, and a limit where the backend enforces one. Limits are bytes;
 * `null` means none. On backends without quotas limits are accepted and have no effect, as in the original.
 */
@Injectable()
export class QuotaScopes {
  constructor(
    private readonly registry: VolumeRegistry,
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
  ) {}

  /**
   * A creation that was cut off half-way is finished rather than refused.
   *
   * @throws StorageError ALREADY_EXISTS when the scope is there; INVALID_ARGUMENT for a refused limit
   */
  async create(volume: string, scope: QuotaScopeId, limitBytes: number | null): Promise<void> {
    await this.onVolume('quota-scope.create', volume, async (opened, root) => {
      assertLimit(limitBytes);
      const how = await this.makeUnlessFinished(opened, root, scope, limitBytes);
      if (how === 'was-there') throw this.conflict(volume, scope);
    });
  }

  /** @throws StorageError NOT_FOUND with subject `quota-scope` */
  describe(volume: string, scope: QuotaScopeId): Promise<QuotaStatus> {
    return this.onVolume('quota-scope.read', volume, async (opened, root) => {
      await assertPresent(opened, root, scope);
      return await opened.strategies.quota.describeScope(scopePath(scope));
    });
  }

  /** Sets the limit, and makes the scope first when it is missing. May be repeated. */
  async update(volume: string, scope: QuotaScopeId, limitBytes: number | null): Promise<void> {
    await this.onVolume('quota-scope.update', volume, async (opened, root) => {
      assertLimit(limitBytes);
      const how = await this.makeUnlessFinished(opened, root, scope, limitBytes);
      // One that was begun, or made by the original, may have another limit already.
      if (how !== 'made') await opened.strategies.quota.updateScope(scopePath(scope), limitBytes);
    });
  }

  /**
   * Removes the limit and keeps the directory. May be repeated.
   *
   * @throws StorageError NOT_FOUND with subject `quota-scope`
   */
  async unset(volume: string, scope: QuotaScopeId): Promise<void> {
    await this.onVolume('quota-scope.unset', volume, async (opened, root) => {
      await assertPresent(opened, root, scope);
      await opened.strategies.quota.updateScope(scopePath(scope), null);
    });
  }

  /**
   * For whoever is about to make something in the scope: it is there and finished afterwards. Made with
   * `initialLimitBytes` when missing and the configuration allows it. The caller holds a slot of the volume.
   *
   * @throws StorageError NOT_FOUND with subject `quota-scope` when it is missing and may not be made
   */
  async ensure(
    volume: Volume,
    root: Beneath,
    scope: QuotaScopeId,
    initialLimitBytes: number | null,
  ): Promise<void> {
    if (!this.settings.autoCreateQuotaScope) await assertPresent(volume, root, scope);
    await this.makeUnlessFinished(volume, root, scope, initialLimitBytes);
  }

  /** Several workers may do this at once; one of them makes the scope, and all return when it is finished. */
  private async makeUnlessFinished(
    volume: Volume,
    root: Beneath,
    scope: QuotaScopeId,
    limitBytes: number | null,
  ): Promise<Making> {
    const directory = new ScopeDirectory(volume, root, scope);
    if ((await directory.presence()) === 'finished') return 'was-there';
    for (;;) {
      try {
        await directory.make(limitBytes);
        return 'made';
      } catch (error) {
        if (!isErrno(error, Errno.EEXIST)) throw error;
      }
      const presence = await directory.settledPresence();
      if (presence === 'finished') return 'was-there';
      if (presence === 'unfinished' && (await finished(directory, limitBytes))) return 'finished';
    }
  }

  private async onVolume<T>(
    operation: string,
    name: string,
    work: (volume: Volume, root: Beneath) => Promise<T>,
  ): Promise<T> {
    const volume = this.registry.get(name);
    return await volume.withRoot(operation, async (root) => {
      try {
        return await work(volume, root);
      } catch (error) {
        throw fromSystemError(error, { subject: 'quota-scope', volume: name });
      }
    });
  }

  private conflict(volume: string, scope: QuotaScopeId): StorageError {
    return new StorageError('ALREADY_EXISTS', `quota scope ${scope.toString()} exists already`, {
      subject: 'quota-scope',
      volume,
    });
  }
}

/** How a scope came to be there: made by this call, finished by it, or neither. */
type Making = 'made' | 'finished' | 'was-there';

/** False when whoever had begun the scope gave it up and took it away meanwhile. */
async function finished(directory: ScopeDirectory, limitBytes: number | null): Promise<boolean> {
  try {
    await directory.finish(limitBytes);
    return true;
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT)) throw error;
    return false;
  }
}

/** Only the directory counts: an unfinished scope, or one of the original's, can be described too. */
async function assertPresent(volume: Volume, root: Beneath, scope: QuotaScopeId): Promise<void> {
  try {
    (await root.descend(scopePath(scope))).close();
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) throw error;
    throw new StorageError('NOT_FOUND', `quota scope ${scope.toString()} does not exist`, {
      subject: 'quota-scope',
      volume: volume.name,
    });
  }
}

function assertLimit(limitBytes: number | null): void {
  if (limitBytes === null || (Number.isSafeInteger(limitBytes) && limitBytes >= 0)) return;
  throw new StorageError('INVALID_ARGUMENT', 'a limit is a number of bytes, 0 or more', {
    subject: 'quota-scope',
    reason: 'quota-config',
  });
}
