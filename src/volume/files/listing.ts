import type { Entry, Listing } from '../../backend/contract/entry.js';
import { StorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import { UPLOAD_DIRECTORY } from '../ids/layout.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';
import { fileDialect } from './dialect.js';
import { entryError } from './entry-error.js';
import { LinkTargets } from './link-target.js';
import { listSmallDirectory } from './small-listing.js';

/** One name of a directory, from lstat. */
export interface ListedEntry extends Omit<Entry, 'target'> {
  /**
   * Where a symlink leads, as text; '' for other entries and for links that lead out or in circles. For
   * scoped ids relative to the listed directory, '' when the target lies outside of it; for unscoped ids
   * absolute with the vfolder as its root.
   */
  readonly symlinkTarget: string;
}

/** What an answer has for an entry, made while other entries are still being read. Must not throw. */
export type RenderEntry<Item> = (entry: ListedEntry) => Item;

export interface FileListing<Item = ListedEntry> {
  readonly entries: readonly Item[];
  /** Whether entries were left out. */
  readonly truncated: boolean;
  /** Where the next page begins, when there is one: opaque, good for this directory. */
  readonly nextCursor?: string | undefined;
}

/** Which part of a directory is wanted, and how. */
export interface PageRequest {
  /** Most entries of the answer; 0 for all of them. */
  readonly limit: number;
  /** `nextCursor` of the page before; in directory order only. */
  readonly cursor?: string | undefined;
  /**
   * `directory` costs the same for a page of a small and of a huge directory. `name` sorts by bytes, and has to
   * read everything first.
   */
  readonly order: 'directory' | 'name';
}

export interface ListingOptions<Item> {
  /** Entries that are read in all, 0 for no bound: of a larger directory, those beyond are not sorted in. */
  readonly most: number;
  readonly render: RenderEntry<Item>;
}

const HIDDEN = [Buffer.from(UPLOAD_DIRECTORY)];

/**
 * Lists one directory. `.upload` of the vfolder itself is not shown.
 *
 * @throws StorageError INVALID_ARGUMENT for a cursor that is none
 */
export async function listDirectory<Item>(
  volume: Volume,
  ref: VFolderRef,
  path: RelPath,
  page: PageRequest,
  { most, render }: ListingOptions<Item>,
): Promise<FileListing<Item>> {
  const items = new Items(render);
  const reading = { most, onEntries: (batch: readonly Entry[]) => items.make(batch) };
  const { entries, nextCursor } = await readPage(volume, ref, path, page, reading);
  const truncated = nextCursor !== undefined;
  const links = entries.filter(({ type }) => type === 'SYMLINK');
  const targets = await resolveLinks(volume, ref, path, links);
  return {
    truncated,
    nextCursor: page.order === 'name' ? undefined : nextCursor,
    entries: entries.map((entry) => items.of(entry, targets.get(entry.name))),
  };
}

/**
 * Makes the items of an answer from batch to batch, instead of all when the last entry has been read, which takes as long
 * again and would stop the event loop. Links wait for their targets.
 */
class Items<Item> {
  readonly #made = new Map<Entry, Item>();

  constructor(private readonly render: RenderEntry<Item>) {}

  make(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.type !== 'SYMLINK') this.#made.set(entry, this.render(listed(entry)));
    }
  }

  of(entry: Entry, symlinkTarget?: string): Item {
    return this.#made.get(entry) ?? this.render(listed(entry, symlinkTarget));
  }
}

function listed(entry: Entry, symlinkTarget = ''): ListedEntry {
  const { name, type, mode, sizeBytes, ctimeNs, mtimeNs } = entry;
  return { name, type, mode, sizeBytes, ctimeNs, mtimeNs, symlinkTarget };
}

interface Reading extends Pick<ListingOptions<unknown>, 'most'> {
  readonly onEntries: (entries: readonly Entry[]) => void;
}

async function readPage(
  volume: Volume,
  ref: VFolderRef,
  path: RelPath,
  { limit, cursor, order }: PageRequest,
  { most, onEntries }: Reading,
): Promise<Listing> {
  if (order === 'directory') {
    const options = { limit: smallest(limit, most), cursor, onEntries };
    return await readDirectory(volume, ref, path, options);
  }
  const { entries, nextCursor } = await readDirectory(volume, ref, path, {
    limit: most,
    onEntries,
  });
  const sorted = entries.toSorted((a, b) => Buffer.compare(a.name, b.name));
  if (limit === 0 || sorted.length <= limit) {
    return { entries: sorted, ...(nextCursor !== undefined && { nextCursor }) };
  }
  return { entries: sorted.slice(0, limit), nextCursor: '' };
}

/** Of two limits, where 0 is none. */
function smallest(a: number, b: number): number {
  return a === 0 || b === 0 ? Math.max(a, b) : Math.min(a, b);
}

async function readDirectory(
  volume: Volume,
  ref: VFolderRef,
  path: RelPath,
  { limit, cursor, onEntries }: Pick<PageRequest, 'limit' | 'cursor'> & Pick<Reading, 'onEntries'>,
): Promise<Listing> {
  const small = cursor === undefined ? await readSmallDirectory(volume, ref, path) : undefined;
  if (small && (limit === 0 || small.length <= limit)) return { entries: small };
  try {
    return await volume.strategies.trees.list(volume.locate(ref.id), path.toBytes(), {
      limit,
      onEntries,
      ...(cursor !== undefined && { cursor }),
      ...(path.isRoot && { omit: HIDDEN }),
    });
  } catch (error) {
    // Either the directory or the vfolder is missing; opening the latter tells which.
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) (await volume.openVFolder(ref.id)).close();
    if (cursor !== undefined && isErrno(error, Errno.EINVAL)) throw noCursor();
    throw entryError(error, ref, path);
  }
}

/** Undefined when it is not small, not there, or on a volume where this does not pay. */
async function readSmallDirectory(
  volume: Volume,
  ref: VFolderRef,
  path: RelPath,
): Promise<Entry[] | undefined> {
  if (!volume.answersAtOnce || volume.strategies.trees.scansFast) return undefined;
  using vfolder = await volume.openVFolder(ref.id);
  const { reservedNames } = volume.strategies;
  const hidden = path.isRoot ? [...reservedNames, ...HIDDEN] : reservedNames;
  return await listSmallDirectory(vfolder, path.toBytes(), hidden);
}

function noCursor(): StorageError {
  const reason = 'it is not where a listing of this directory ended';
  return new StorageError('INVALID_ARGUMENT', `cursor: ${reason}`, {
    subject: 'request',
    data: { cursor: reason },
  });
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
