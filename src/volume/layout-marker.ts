import { StorageError } from '../errors/storage-error.js';
import type { Beneath } from '../native/beneath.js';
import { Errno, isErrno } from '../native/errno.js';
import { LAYOUT_MARKER } from './ids/layout.js';

/** 2: vfolders lie directly on the volume. 3: they lie in quota scopes. */
export type LayoutVersion = 2 | 3;

const MAX_MARKER_BYTES = 64;

/**
 * What `version.txt` says; a missing one means 2, as the original's migration tool has it. Both layouts are
 * served on every volume, each to the ids of its generation, so the answer is for operators: while it is
 * 2, vfolders of the old layout are reached by unscoped ids only.
 *
 * @throws StorageError UNAVAILABLE for a version that we do not know: a later layout must not be written to
 */
export async function readLayoutVersion(root: Beneath): Promise<LayoutVersion> {
  const text = await readMarker(root);
  if (text === null || text === '2') return 2;
  if (text === '3') return 3;
  throw new StorageError(
    'UNAVAILABLE',
    `${LAYOUT_MARKER} names layout version "${text}", but only 2 and 3 are known: use a later release`,
    { subject: 'volume' },
  );
}

async function readMarker(root: Beneath): Promise<string | null> {
  try {
    await using file = await root.openFile(Buffer.from(LAYOUT_MARKER));
    const content = Buffer.alloc(MAX_MARKER_BYTES);
    const length = await file.read(content, 0);
    return content.toString('utf8', 0, length).trim();
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return null;
    throw error;
  }
}
