import type { Entry } from '../../backend/contract/entry.js';
import { Errno, isErrno } from '../../native/errno.js';
import { UPLOAD_DIRECTORY } from '../ids/layout.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import { fileDialect } from './dialect.js';
import { entryError } from './entry-error.js';
import { LinkTargets } from './link-target.js';

/** One name of a directory, from lstat. */
export interface ListedEntry extends Omit<Entry, 'target'> {
  /**
   * Where a symlink leads, as text; '' for other entries and for links that lead out or in circles. For
   * scoped ids relative to the listed directory, '' when the target lies outside of it; for unscoped ids
   * absolute with the vfolder as its root.
   */
  readonly symlinkTarget: string;
}

export interface FileListing {
  /** In directory order. */
  readonly entries: readonly ListedEntry[];
  /** Whether the limit left entries out. */
  readonly truncated: boolean;
}

const HIDDEN = Buffer.from(UPLOAD_DIRECTORY);

/** Lists one directory, at most `limit` entries (0: all). `.upload` of the vfolder itself is not shown. */
export async function listDirectory(
  volume: Volume,
  ref: VFolderRef,
  path: RelPath,
  limit: number,
): Promise<FileListing> {
  const { entries, truncated } = await readDirectory(volume, ref, path, limit);
  const links = entries.filter(({ type }) => type === 'SYMLINK');
  const targets = await resolveLinks(volume, ref, path, links);
  return {
    truncated,
    entries: entries.map((entry) => ({
      name: entry.name,
      type: entry.type,
      mode: entry.mode,
      sizeBytes: entry.sizeBytes,
      ctimeNs: entry.ctimeNs,
      mtimeNs: entry.mtimeNs,
      symlinkTarget: targets.get(entry.name) ?? '',
    })),
  };
}

async function readDirectory(
  volume: Volume,
  ref: VFolderRef,
  path: RelPath,
  limit: number,
): Promise<{ entries: readonly Entry[]; truncated: boolean }> {
  // One more than asked for, in case one is hidden.
  const askedFor = path.isRoot && limit > 0 ? limit + 1 : limit;
  try {
    const { trees } = volume.strategies;
    const listing = await trees.list(volume.locate(ref.id), path.toBytes(), { limit: askedFor });
    const shown = path.isRoot
      ? listing.entries.filter(({ name }) => !name.equals(HIDDEN))
      : listing.entries;
    const entries = limit > 0 ? shown.slice(0, limit) : shown;
    return {
      entries,
      truncated: listing.nextCursor !== undefined || entries.length < shown.length,
    };
  } catch (error) {
    // Either the directory or the vfolder is missing; opening the latter tells which.
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) (await volume.openVFolder(ref.id)).close();
    throw entryError(error, ref, path);
  }
}

/** By the very name Buffers of `links`. */
async function resolveLinks(
  volume: Volume,
  ref: VFolderRef,
  path: RelPath,
  links: readonly Entry[],
): Promise<Map<Buffer, string>> {
  if (links.length === 0) return new Map();
  using vfolder = await volume.openVFolder(ref.id);
  const resolver = await LinkTargets.of(vfolder, path, fileDialect(ref.id));
  const targets = new Map<Buffer, string>();
  for (const { name, target } of links) {
    targets.set(name, await resolver.resolve(name, target ?? Buffer.alloc(0)));
  }
  return targets;
}
