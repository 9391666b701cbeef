import { loggerFor } from '../../observability/logger.js';
import type { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { Errno, isErrno } from '../../native/errno.js';
import { PROXY_DIRECTORY } from '../../backend/contract/proxy-directory.js';
import type { VFolderId } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import { parseJobId, type JobId } from './job.js';
import { decodeRecord, encodeRecord } from './job-json.js';
import { lockDirectory, lockFile, NO_LOCK, type JobLock, type LockOutcome } from './job-lock.js';
import type { JobRecord } from './job-record.js';
import { listAll } from './listing.js';
import { ignoreMissing, openProxyDirectory, readText, replaceFile } from './proxy-files.js';

const DIRECTORY = Buffer.from(`${PROXY_DIRECTORY}/jobs`);
const RECORD_SUFFIX = '.json';
const TEMPORARY = /^\..*\.tmp$/;
const RECORD_MODE = 0o600;
/** Records read at a time when all are asked for. */
const READ_AHEAD = 8;
/** From this age on a temporary file has no writer any more. */
const STALE_TEMPORARY_MS = 3_600_000;

const log = loggerFor('jobs');

/**
 * The records of one volume's jobs: `<volume>/.storage-proxy/jobs/<id>.json`, beside them `<id>.lock` while
 * somebody runs the job (`<id>.1.json` and `<id>.1.lock` after the first takeover, so that whatever a host still
 * writes that was thought to be dead counts no more), `<id>.cancel` when it is to be stopped, and a link for the destination of each clone.
 * The noop volume keeps none. Rejects with SystemError, or UNAVAILABLE when the volume is not usable.
 */
export class JobStore {
  constructor(readonly volume: Volume) {}

  /** Replaces the record whole. `durable`: it is on stable storage when this resolves. */
  async save(record: JobRecord, { durable }: { durable: boolean }): Promise<void> {
    await this.inDirectory(async (directory) => {
      const text = Buffer.from(encodeRecord(record));
      await replaceFile(directory, recordName(record), text, { durable });
    });
  }

  /** `undefined` when there is none, or none that can be read. */
  async read(id: JobId): Promise<JobRecord | undefined> {
    const text = await this.inDirectory((directory) => readNewest(directory, id), { make: false });
    if (text === undefined) return undefined;
    const record = decodeRecord(text, this.volume.name);
    if (record === undefined) log.warn('job record cannot be read', { job: id });
    return record?.id === id ? record : undefined;
  }

  /** The ids of all records. */
  async ids(): Promise<JobId[]> {
    return (await this.names())
      .filter((name) => name.endsWith(RECORD_SUFFIX))
      .map((name) => parseJobId(name.slice(0, -RECORD_SUFFIX.length)))
      .filter((id) => id !== undefined);
  }

  /** Those of the records that can be read, in no order. */
  async readAll(ids: readonly JobId[]): Promise<JobRecord[]> {
    const pending = [...ids];
    const records: JobRecord[] = [];
    const reader = async (): Promise<void> => {
      for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
        const record = await this.read(id);
        if (record) records.push(record);
      }
    };
    await Promise.all(Array.from({ length: READ_AHEAD }, reader));
    return records;
  }

  /** Takes the lock that whoever runs the job, after so many takeovers, holds. */
  async lock({ id, takeovers }: Turn): Promise<LockOutcome> {
    const lock = await this.inDirectory((directory) =>
      lockFile(directory, lockName({ id, takeovers })),
    );
    return lock ?? 'gone';
  }

  /** For whoever looks through the whole volume, which one worker at a time is enough for; `null` when one does. */
  async lockForScan(): Promise<JobLock | null> {
    const outcome = await this.volume.io(async () => {
      using root = await this.volume.openRoot();
      return await lockDirectory(root, DIRECTORY);
    });
    if (outcome === 'held') return null;
    // Nothing was recorded here yet: there is nothing to lock, and hardly anything to scan.
    return outcome === 'gone' ? NO_LOCK : outcome;
  }

  /** Leaves the wish that the job be stopped, for whoever runs it now or later. */
  async requestCancel(id: JobId): Promise<void> {
    await this.inDirectory(async (directory) => {
      const marker = await directory.openFile(cancelName(id), {
        write: true,
        create: 'if-missing',
        mode: RECORD_MODE,
      });
      await marker.close();
      await directory.syncDirectory();
    });
  }

  async isCancelRequested(id: JobId): Promise<boolean> {
    const marker = await this.inDirectory(
      (directory) => ignoreMissing(directory.lstat(cancelName(id))),
      { make: false },
    );
    return marker !== undefined;
  }

  /** Removes what only a running job needs. The caller holds the lock, which this makes void. */
  async tidy({ id, takeovers }: Turn): Promise<void> {
    const locks = Array.from({ length: takeovers + 1 }, (_, index) =>
      lockName({ id, takeovers: index }),
    );
    await this.unlink(cancelName(id), ...locks);
  }

  /** Forgets the job. */
  async remove(id: JobId): Promise<void> {
    const last = (await this.read(id))?.takeovers ?? 0;
    const records = Array.from({ length: last + 1 }, (_, takeovers) =>
      recordName({ id, takeovers }),
    );
    // The first comes last: by it the others are found.
    await this.unlink(cancelName(id), lockName({ id, takeovers: 0 }), ...records.toReversed());
  }

  /** Removes temporary files whose writer died. */
  async sweepTemporaries(now = Date.now()): Promise<void> {
    const names = (await this.names()).filter((name) => TEMPORARY.test(name));
    const deadline = BigInt(now - STALE_TEMPORARY_MS) * 1_000_000n;
    for (const name of names.map((name) => Buffer.from(name))) {
      await this.inDirectory(async (directory) => {
        const stat = await ignoreMissing(directory.lstat(name));
        if (stat && stat.mtimeNs < deadline) await ignoreMissing(directory.unlink(name));
      });
    }
  }

  /**
   * Reserves the destination of a clone, so that a repeated request finds the job of the first: the id of
   * whose it is, `id` when the reservation succeeded.
   */
  async claimDestination(destination: VFolderId, id: JobId): Promise<JobId> {
    const name = claimName(destination);
    const holder = await this.inDirectory(async (directory) => {
      try {
        await calls.symlinkat(Buffer.from(id), directory.fd, name);
        await directory.syncDirectory();
        return id;
      } catch (error) {
        if (!isErrno(error, Errno.EEXIST)) throw error;
        return (await ignoreMissing(directory.readlink(name)))?.toString();
      }
    });
    return holder ?? id;
  }

  /** Whose the destination is, if anybody's. */
  async destinationClaim(destination: VFolderId): Promise<JobId | undefined> {
    const target = await this.inDirectory(
      (directory) => ignoreMissing(directory.readlink(claimName(destination))),
      { make: false },
    );
    return target?.toString();
  }

  /** Gives the reservation back if it is `id`'s. */
  async releaseDestination(destination: VFolderId, id: JobId): Promise<void> {
    if ((await this.destinationClaim(destination)) === id) {
      await this.unlink(claimName(destination));
    }
  }

  private async names(): Promise<string[]> {
    if (this.volume.isNoop) return [];
    const names: string[] = [];
    for await (const entries of listAll(this.volume.strategies.trees, DIRECTORY)) {
      names.push(...entries.map((entry) => entry.name.toString()));
    }
    return names;
  }

  private async unlink(...names: Buffer[]): Promise<void> {
    await this.inDirectory(
      async (directory) => {
        for (const name of names) await ignoreMissing(directory.unlink(name));
      },
      { make: false },
    );
  }

  /** `undefined` when the directory is missing and not to be made, and for the noop volume. */
  private async inDirectory<T>(
    work: (directory: Beneath) => Promise<T>,
    { make = true } = {},
  ): Promise<T | undefined> {
    if (this.volume.isNoop) return undefined;
    return await this.volume.io(async () => {
      using root = await this.volume.openRoot();
      using directory = await openProxyDirectory(root, DIRECTORY, { make });
      return directory && (await work(directory));
    });
  }
}

/** The text of the record after the last takeover. */
async function readNewest(directory: Beneath, id: JobId): Promise<string | undefined> {
  let newest: string | undefined;
  for (let takeovers = 0; ; takeovers++) {
    const text = await ignoreMissing(readText(directory, recordName({ id, takeovers })));
    if (text === undefined) return newest;
    newest = text;
  }
}

type Turn = Pick<JobRecord, 'id' | 'takeovers'>;

const turnName = ({ id, takeovers }: Turn): string => (takeovers === 0 ? id : `${id}.${takeovers}`);
const recordName = (turn: Turn): Buffer => Buffer.from(turnName(turn) + RECORD_SUFFIX);
const lockName = (turn: Turn): Buffer => Buffer.from(`${turnName(turn)}.lock`);
const cancelName = (id: JobId): Buffer => Buffer.from(`${id}.cancel`);

/** The scope type is no part of it: scopes of one UUID share a directory, and so do their folders. */
function claimName({ scope, folder }: VFolderId): Buffer {
  return Buffer.from(`clone.${scope?.pathname ?? 'unscoped'}.${folder}`);
}
