import { aheadInGroups } from './ahead.js';
import { factsOf, openContent, piecesOf, prepare, type ContentSource } from './archive-content.js';
import type { ArchiveItem } from './archive-item.js';
import { isCompressedName } from './compressed-names.js';
import { PieceDeflater } from './deflate.js';
import type { ZipSink } from './zip-output.js';
import { ZipWriter } from './zip-writer.js';

/** Small files that are read and compressed at a time: what bounds the memory of one archive. */
const ITEMS_AHEAD = 8;

/**
 * Writes a ZIP of the items of all `groups` while they are being found. Entries that vanish meanwhile are left out; a file
 * that cannot be read is an error, and the archive then ends in the middle: better visibly broken than
 * silently incomplete.
 */
export async function writeArchive(
  groups: AsyncIterable<readonly ArchiveItem[]>,
  source: ContentSource,
  sink: ZipSink,
): Promise<void> {
  const zip = new ZipWriter(sink);
  const start = (item: ArchiveItem): ReturnType<typeof prepare> => prepare(source, item);
  for await (const group of aheadInGroups(groups, ITEMS_AHEAD, start)) {
    for (const prepared of group) {
      if (prepared?.kind === 'large') await addLarge(zip, source, prepared.item);
      else if (prepared) zip.addWhole(prepared.facts, prepared.content);
      if (zip.isFull) await zip.flush();
    }
  }
  await zip.finish();
}

async function addLarge(zip: ZipWriter, source: ContentSource, item: ArchiveItem): Promise<void> {
  const file = await source.io(() => openContent(source.root, item));
  if (file === undefined) return;
  try {
    const deflater = new PieceDeflater(source.level, isCompressedName(item.name));
    const pieces = piecesOf(source, file);
    await zip.addStream(factsOf(item, file.stat), file.stat.size, pieces, deflater);
  } finally {
    await file.close();
  }
}
