import { StorageError } from '../../errors/storage-error.js';
import { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { QuotaModel, QuotaStatus } from '../contract/quota-model.js';
import { Attribute, LAG_SECONDS, readCount, readLimit, writeLimit } from './ceph-attributes.js';

/**
 * Limits as CephFS has them: on any directory, for everything below it. They nest, so a scope has one and each
 * vfolder of an unscoped id may have its own, and what is made below needs nothing. Clients enforce them themselves,
 * from figures that lag behind: a limit is exceeded by what a writer brings in that time.
 */
export class CephQuotaModel implements QuotaModel {
  /** As the original makes them (protocol section 2.7). */
  readonly scopeMode = 0o777;
  readonly enforcesScopes = true;
  readonly enforcesVFolders = true;
  readonly enforcesLate = true;
  readonly usageLagMs = LAG_SECONDS * 1000;

  constructor(
    private readonly mountPath: string,
    /** 0: none. */
    private readonly maxFiles: number,
  ) {}

  initialiseScope(scopePath: Buffer, limitBytes: number | null): Promise<void> {
    return this.#limit(scopePath, limitBytes);
  }

  describeScope(scopePath: Buffer): Promise<QuotaStatus> {
    return this.#at(scopePath, describe);
  }

  updateScope(scopePath: Buffer, limitBytes: number | null): Promise<void> {
    return this.#update(scopePath, limitBytes);
  }

  releaseScope(scopePath: Buffer): Promise<void> {
    return this.#release(scopePath);
  }

  initialiseVFolder(vfolderPath: Buffer, limitBytes: number | null): Promise<void> {
    return this.#limit(vfolderPath, limitBytes);
  }

  describeVFolder(vfolderPath: Buffer): Promise<QuotaStatus> {
    return this.#at(vfolderPath, describe);
  }

  updateVFolder(vfolderPath: Buffer, limitBytes: number | null): Promise<void> {
    return this.#update(vfolderPath, limitBytes);
  }

  releaseVFolder(vfolderPath: Buffer): Promise<void> {
    return this.#release(vfolderPath);
  }

  async #limit(path: Buffer, limitBytes: number | null): Promise<void> {
    await this.#at(path, async (fd) => {
      await set(fd, Attribute.maxBytes, limitBytes ?? 0);
      if (this.maxFiles > 0) await set(fd, Attribute.maxFiles, this.maxFiles);
    });
  }

  /** Who takes a limit away does not ask for another. */
  async #update(path: Buffer, limitBytes: number | null): Promise<void> {
    if (limitBytes !== null) return await this.#limit(path, limitBytes);
    await this.#at(path, (fd) => set(fd, Attribute.maxBytes, 0));
  }

  async #release(path: Buffer): Promise<void> {
    await this.#at(path, async (fd) => {
      for (const name of [Attribute.maxBytes, Attribute.maxFiles]) await set(fd, name, 0);
    });
  }

  async #at<T>(path: Buffer, work: (fd: number) => Promise<T>): Promise<T> {
    using mount = await Beneath.open(this.mountPath);
    return await mount.reading(path, work);
  }
}

async function describe(fd: number): Promise<QuotaStatus> {
  const files = await readCount(fd, Attribute.files);
  const directories = await readCount(fd, Attribute.directories);
  const limitInodes = await readLimit(fd, Attribute.maxFiles);
  return {
    usedBytes: await readCount(fd, Attribute.bytes),
    limitBytes: await readLimit(fd, Attribute.maxBytes),
    ...(files !== null && directories !== null && { usedInodes: files + directories }),
    ...(limitInodes !== null && { limitInodes }),
    lagSeconds: LAG_SECONDS,
  };
}

/** What is there already is not written again: a client without the right to may still repeat a request. */
async function set(fd: number, name: string, limit: number): Promise<void> {
  if (((await readLimit(fd, name)) ?? 0) === limit) return;
  try {
    await writeLimit(fd, name, limit);
  } catch (error) {
    if (isErrno(error, Errno.EACCES, Errno.EPERM)) throw mayNotSet(error);
    if (isErrno(error, Errno.EINVAL)) throw refused(limit, error);
    throw error;
  }
}

function mayNotSet(cause: unknown): StorageError {
  return new StorageError(
    'PERMISSION_DENIED',
    'the Ceph client of this host may not set quotas: its MDS capability lacks the "p" flag',
    { subject: 'volume' },
    { cause },
  );
}

function refused(limit: number, cause: unknown): StorageError {
  return new StorageError(
    'INVALID_ARGUMENT',
    `Ceph refuses ${limit} as a limit`,
    { subject: 'quota-scope', reason: 'quota-config' },
    { cause },
  );
}
