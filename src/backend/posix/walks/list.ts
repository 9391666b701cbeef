import { sync } from '../../../native/calls.js';
import { S_IFLNK, SEEK_SET } from '../../../native/constants.js';
import { DirectoryReader } from '../../../native/directory-reader.js';
import { Errno, isErrno, SystemError } from '../../../native/errno.js';
import { StatBuffer } from '../../../native/stat-buffer.js';
import { BatchWriter } from '../entry-codec.js';
import type { Pace, Walk } from '../walk.js';
import { statIfPresent } from './tolerance.js';

/** What of a directory is listed. */
export interface ListRequest {
  /** 0: all. */
  readonly limit: number;
  /** Where an earlier listing of this directory ended. */
  readonly cursor?: string | undefined;
  /** Names left out. */
  readonly omit?: readonly Buffer[];
}

/**
 * Lists the directory `fd`, which is taken over, in batches: the entries that are there, at most `limit`
 * from `cursor` on. Returns the cursor behind the last one when there are more.
 */
export function* list(
  fd: number,
  { limit, cursor, omit = [] }: ListRequest,
  pace: Pace,
): Walk<string | undefined> {
  try {
    const reader = new DirectoryReader();
    reader.hidden = [...pace.hidden, ...omit];
    const stat = new StatBuffer();
    const batch = new BatchWriter();
    let listed = 0;
    let position: bigint | undefined;
    if (cursor !== undefined) seek(fd, cursor);
    reader.start(fd);
    while (reader.next()) {
      // One entry past the limit tells that there is more.
      if (limit > 0 && listed === limit) {
        if (!batch.isEmpty) yield batch.take();
        return position!.toString(36);
      }
      position = reader.offset();
      if (statIfPresent(stat, fd, reader.nameAddress) && addEntry(batch, stat, fd, reader.name())) {
        listed++;
        pace.count(0);
      }
      const due = pace.step();
      if (batch.isFull || (due && batch.isDue)) yield batch.take();
      else if (due) yield;
    }
    if (!batch.isEmpty) yield batch.take();
    return undefined;
  } finally {
    sync.close(fd);
  }
}

/** False when a link has vanished, or become something else, between its stat and its reading. */
function addEntry(batch: BatchWriter, stat: StatBuffer, fd: number, name: Buffer): boolean {
  if (stat.type !== S_IFLNK) {
    batch.add(stat, name);
    return true;
  }
  try {
    batch.add(stat, name, { target: sync.readlinkat(fd, name) });
    return true;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.EINVAL)) return false;
    throw error;
  }
}

function seek(fd: number, cursor: string): void {
  const position = /^-?[0-9a-z]{1,13}$/.test(cursor) ? parseBase36(cursor) : undefined;
  if (position === undefined) throw new SystemError(Errno.EINVAL, 'lseek');
  sync.lseek(fd, position, SEEK_SET);
}

/** Directory positions use all 64 bits, more than `parseInt` can tell apart; undefined when too large. */
function parseBase36(text: string): bigint | undefined {
  let value = 0n;
  for (const digit of text.replace('-', '')) value = value * 36n + BigInt(parseInt(digit, 36));
  if (value > 2n ** 63n - 1n) return undefined;
  return text.startsWith('-') ? -value : value;
}
