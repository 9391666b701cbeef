import type { ScannedEntry } from '../../backend/contract/entry.js';
import { S_IFDIR, S_IFMT } from '../../native/constants.js';
import type { Stat } from '../../native/stat.js';
import { UPLOAD_DIRECTORY } from '../ids/layout.js';
import type { DownloadBase } from '../downloads/download-bases.js';
import type { ArchiveItem } from './archive-item.js';

/** A file or directory that goes into an archive, with everything below. */
export interface ArchiveMember {
  /** Below the base; `.` for all of it. */
  readonly path: Buffer;
  /** Name in the archive; empty when only what is below it gets names. */
  readonly name: Buffer;
  /** What the path leads to; absent for a directory that has no entry of its own. */
  readonly stat?: Stat;
}

const HERE = Buffer.from('.');
const SLASH = Buffer.from('/');
const RESERVED = Buffer.from(UPLOAD_DIRECTORY);
const KINDS = { FILE: 'file', DIRECTORY: 'directory', SYMLINK: 'link' } as const;

/** Larger files take so long to be sent that reading several at a time, beside the walk, is worth its promises. */
const CONTENT_WITH_WALK_BYTES = 32 * 1024;

/** Finds everything below the members while the archive is being written; groups are what was found together. */
export async function* walkMembers(
  base: DownloadBase,
  members: readonly ArchiveMember[],
  signal: AbortSignal,
): AsyncGenerator<ArchiveItem[]> {
  for (const { path, name, stat } of members) {
    const isDirectory = stat === undefined || (stat.mode & S_IFMT) === S_IFDIR;
    // The member itself may be a link: it was asked for by name, so it is followed.
    if (stat !== undefined)
      yield [memberItem(path, name, stat, isDirectory ? 'directory' : 'link')];
    if (!isDirectory) continue;
    const options = {
      signal,
      contentUpToBytes: CONTENT_WITH_WALK_BYTES,
      ...(path.equals(HERE) && { omit: [RESERVED] }),
    };
    for await (const batch of base.scan(path, options)) {
      yield batch.map((entry) => itemBelow(path, name, entry));
    }
  }
}

function memberItem(
  path: Buffer,
  name: Buffer,
  stat: Stat,
  kind: ArchiveItem['kind'],
): ArchiveItem {
  return { name, path, kind, mode: stat.mode, sizeBytes: stat.size, mtimeNs: stat.mtimeNs };
}

function itemBelow(path: Buffer, name: Buffer, entry: ScannedEntry): ArchiveItem {
  return {
    name: joined(name, entry.path),
    path: path.equals(HERE) ? entry.path : joined(path, entry.path),
    kind: KINDS[entry.type],
    mode: entry.mode,
    sizeBytes: entry.sizeBytes,
    mtimeNs: entry.mtimeNs,
    content: entry.content,
  };
}

function joined(prefix: Buffer, name: Buffer): Buffer {
  return prefix.length === 0 ? name : Buffer.concat([prefix, SLASH, name]);
}
