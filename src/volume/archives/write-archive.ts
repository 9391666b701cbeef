import { ahead } from './ahead.js';
import {
  factsOf,
  openContent,
  piecesOf,
  prepare,
  type ContentSource,
  type Prepared,
} from './archive-content.js';
import type { ArchiveItem } from './archive-item.js';
import { isCompressedName } from './compressed-names.js';
import { PieceDeflater } from './deflate.js';
import { ZipWriter, type ZipSink } from './zip-writer.js';

/** Small files that are read and compressed at a time: what bounds the memory of one archive. */
const ITEMS_AHEAD = 8;
/** Enough for one write; many entries are a few hundred bytes. */
const BATCH_BYTES = 64 * 1024;

/**
 * Writes a ZIP of `items` while they are being found. Entries that vanish meanwhile are left out; a file
 * that cannot be read is an error, and the archive then ends in the middle: better visibly broken than
 * silently incomplete.
 */
export async function writeArchive(
  items: AsyncIterable<ArchiveItem>,
  source: ContentSource,
  sink: ZipSink,
): Promise<void> {
  const batch = new Batch(sink);
  const zip = new ZipWriter((chunks) => batch.add(chunks));
  for await (const prepared of ahead(items, ITEMS_AHEAD, (item) => prepare(source, item))) {
    if (prepared !== undefined) await add(zip, source, prepared);
  }
  await zip.finish();
  await batch.flush();
}

async function add(zip: ZipWriter, source: ContentSource, prepared: Prepared): Promise<void> {
  switch (prepared.kind) {
    case 'directory':
      return zip.addDirectory(prepared.facts);
    case 'whole':
      return zip.addWhole(prepared.facts, prepared.content);
    case 'large':
      return addLarge(zip, source, prepared.item);
  }
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

/** Gathers small chunks into one write. */
class Batch {
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(private readonly sink: ZipSink) {}

  async add(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
    }
    if (this.#bytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    await this.sink(chunks);
  }
}
