import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { loggerFor } from '../../observability/logger.js';
import { PROXY_DIRECTORY } from '../../backend/contract/proxy-directory.js';
import { lockFile, type JobLock } from '../../volume/jobs/job-lock.js';
import { listAll } from '../../volume/jobs/listing.js';
import {
  ignoreMissing,
  openProxyDirectory,
  readText,
  replaceFile,
} from '../../volume/jobs/proxy-files.js';
import type { Volume } from '../../volume/volume.js';
import type { ClusterEvent } from './event.js';

const DIRECTORY = Buffer.from(`${PROXY_DIRECTORY}/outbox`);
const LOCK = Buffer.from('lock');
/** `<sequence>.<job>.<event>.json`: sorting the names gives the order, and the rest identifies the event. */
const NAME = /^(\d{16})\.([0-9a-f-]{36}\.[a-z_]+)\.json$/;
const SEQUENCE_DIGITS = 16;
const PER_MS = 100;

const log = loggerFor('events');

/** An event that waits on the volume. */
export interface OutboxEntry {
  /** Name of its file. */
  readonly name: string;
  /** The same for the same event of the same job, however often it was put here. */
  readonly id: string;
  readonly writtenAt: Date;
}

/**
 * Events of one volume's jobs that managers may not have got yet, a file each in
 * `<volume>/.storage-proxy/outbox`, where every worker of every proxy of the volume finds them. Rejects with
 * SystemError, or UNAVAILABLE when the volume is not usable.
 */
export class Outbox {
  constructor(readonly volume: Volume) {}

  /** Puts the event behind all others, on stable storage. One that is there already stays where it is. */
  async append(event: ClusterEvent): Promise<void> {
    const id = `${event.job}.${event.name}`;
    const waiting = await this.entries();
    if (waiting.some((entry) => entry.id === id)) return;
    // Behind what is there, whatever the clock of the host that wrote it says.
    const last = Number(waiting.at(-1)?.name.slice(0, SEQUENCE_DIGITS) ?? 0);
    const sequence = Math.max(Date.now() * PER_MS, last + 1);
    const name = `${String(sequence).padStart(SEQUENCE_DIGITS, '0')}.${id}.json`;
    await this.inDirectory(true, (directory) =>
      replaceFile(directory, Buffer.from(name), Buffer.from(JSON.stringify(event)), {
        durable: true,
      }),
    );
  }

  /** What waits, first things first. */
  async entries(): Promise<OutboxEntry[]> {
    const entries: OutboxEntry[] = [];
    for await (const page of listAll(this.volume.strategies.trees, DIRECTORY)) {
      for (const { name } of page) {
        const [text, sequence, id] = NAME.exec(name.toString('latin1')) ?? [];
        if (text === undefined || id === undefined) continue;
        entries.push({ name: text, id, writtenAt: new Date(Number(sequence) / PER_MS) });
      }
    }
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** `undefined` when it is gone, or no event. */
  async read({ name }: OutboxEntry): Promise<ClusterEvent | undefined> {
    const text = await this.inDirectory(false, (directory) =>
      ignoreMissing(readText(directory, Buffer.from(name))),
    );
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as ClusterEvent;
    } catch (error) {
      log.warn('An event cannot be read and is dropped', { entry: name, err: error });
      await this.remove({ name });
      return undefined;
    }
  }

  async remove({ name }: Pick<OutboxEntry, 'name'>): Promise<void> {
    await this.inDirectory(false, (directory) =>
      ignoreMissing(directory.unlink(Buffer.from(name))),
    );
  }

  /** The right to send what is here, of all workers and hosts; `null` when somebody else has it. */
  async lock(): Promise<JobLock | null> {
    const outcome = await this.inDirectory(false, (directory) => lockFile(directory, LOCK));
    return outcome === undefined || typeof outcome === 'string' ? null : outcome;
  }

  private async inDirectory<T>(
    make: boolean,
    work: (directory: Beneath) => Promise<T>,
  ): Promise<T | undefined> {
    if (this.volume.isNoop) {
      throw new StorageError('UNSUPPORTED', 'the noop volume keeps nothing', { subject: 'volume' });
    }
    return await this.volume.io(async () => {
      using root = await this.volume.openRoot();
      using directory = await openProxyDirectory(root, DIRECTORY, { make });
      return directory && (await work(directory));
    });
  }
}
