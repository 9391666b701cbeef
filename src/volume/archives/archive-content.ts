import zlib from 'node:zlib';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { OpenFile } from '../../native/open-file.js';
import type { Stat } from '../../native/stat.js';
import type { BlockingCall } from '../blocking-call.js';
import type { ArchiveItem } from './archive-item.js';
import { isCompressedName } from './compressed-names.js';
import { deflateWhole, type Deflated } from './deflate.js';
import { PIECE_BYTES, type EntryFacts, type WholeContent } from './zip-writer.js';

/** Up to this size a file is read ahead as a whole. */
const WHOLE_BYTES = 1024 * 1024;

/** ENXIO of open(2): a socket. */
const ENXIO = 6;
/**
 * What opening an entry answers when there is nothing to archive by that name any more, or never was:
 * it vanished, is no regular file, or is a link that dangles, loops, or leads out or to a directory.
 */
const NOTHING_THERE = [
  Errno.ENOENT,
  Errno.ENOTDIR,
  Errno.EISDIR,
  Errno.EINVAL,
  Errno.ELOOP,
  Errno.EXDEV,
  Errno.ENODEV,
  ENXIO,
];

export type Prepared =
  | { readonly kind: 'whole'; readonly facts: EntryFacts; readonly content: WholeContent }
  /** Too large to be read ahead; opened when its turn comes. */
  | { readonly kind: 'large'; readonly item: ArchiveItem };

/** Where an archive's content comes from. */
export interface ContentSource {
  /** Confines every path. */
  readonly root: Beneath;
  /** Runs what blocks a thread. */
  readonly io: BlockingCall;
  /** Of compression, 0 to 9. */
  readonly level: number;
}

const NO_CONTENT: WholeContent = {
  crc: 0,
  sizeBytes: 0,
  data: Buffer.alloc(0),
  isDeflated: false,
};

/** Reads and compresses what is small; undefined for what is to be left out. Without a promise when nothing is waited for. */
export function prepare(
  source: ContentSource,
  item: ArchiveItem,
): Prepared | undefined | Promise<Prepared | undefined> {
  if (item.kind === 'directory') {
    const name = Buffer.concat([item.name, Buffer.from('/')]);
    const facts = { name, mode: item.mode, mtimeNs: item.mtimeNs };
    return { kind: 'whole', facts, content: NO_CONTENT };
  }
  if (item.kind === 'file') {
    if (item.sizeBytes > WHOLE_BYTES) return { kind: 'large', item };
    if (item.sizeBytes === 0) return { kind: 'whole', facts: item, content: NO_CONTENT };
  }
  return item.content ? pack(source, item, item.content) : readAndPack(source, item);
}

async function readAndPack(
  source: ContentSource,
  item: ArchiveItem,
): Promise<Prepared | undefined> {
  // One turn of the volume's share for all three calls: small files are many.
  const read = await source.io(() => readSmall(source.root, item));
  if (read === undefined || read === 'large') return read && { kind: 'large', item };
  return await pack(source, factsOf(item, read.stat), read.content);
}

function pack(
  source: ContentSource,
  facts: EntryFacts,
  content: Buffer,
): Prepared | Promise<Prepared> {
  const crc = zlib.crc32(content);
  const packed = (deflated: Deflated): Prepared => ({
    kind: 'whole',
    facts,
    content: {
      crc,
      sizeBytes: content.length,
      data: deflated ?? content,
      isDeflated: deflated !== undefined,
    },
  });
  if (isCompressedName(facts.name)) return packed(undefined);
  const deflated = deflateWhole(content, source.level);
  return deflated instanceof Promise ? deflated.then(packed) : packed(deflated);
}

/** Opens an entry; undefined when there is nothing to archive. A link that stays inside is followed. */
export async function openContent(root: Beneath, item: ArchiveItem): Promise<OpenFile | undefined> {
  try {
    return await root.openFile(item.path, { follow: item.kind === 'link' });
  } catch (error) {
    if (isErrno(error, ...NOTHING_THERE)) return undefined;
    throw error;
  }
}

/** The content in pieces, as much as there was when the file was opened, or less if it shrinks. */
export async function* piecesOf(source: ContentSource, file: OpenFile): AsyncGenerator<Buffer> {
  const { size } = file.stat;
  for (let position = 0; position < size;) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size - position));
    const count = await source.io(() => file.read(piece, position));
    if (count > 0) yield piece.subarray(0, count);
    if (count < piece.length) return;
    position += count;
  }
}

/** A link appears as the file it leads to, under its own name. */
export function factsOf(item: ArchiveItem, stat: Stat): EntryFacts {
  return { name: item.name, mode: stat.mode, mtimeNs: stat.mtimeNs };
}

async function readSmall(
  root: Beneath,
  item: ArchiveItem,
): Promise<{ content: Buffer; stat: Stat } | 'large' | undefined> {
  const file = await openContent(root, item);
  if (file === undefined) return undefined;
  try {
    const { stat } = file;
    if (stat.size > WHOLE_BYTES) return 'large';
    const content = Buffer.allocUnsafe(stat.size);
    return { content: content.subarray(0, await file.read(content, 0)), stat };
  } finally {
    await file.close();
  }
}
