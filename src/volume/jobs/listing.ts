import type { Entry } from '../../backend/contract/entry.js';
import type { TreeOperations } from '../../backend/contract/tree-operations.js';
import { Errno, isErrno } from '../../native/errno.js';

const PAGE = 1_000;
const HERE = Buffer.from('.');

/** A directory of the volume, page by page; nothing when it is missing. */
export async function* listAll(
  trees: TreeOperations,
  path: Buffer,
): AsyncGenerator<readonly Entry[], void, undefined> {
  let cursor: string | undefined;
  try {
    do {
      const page = await trees.list({ path }, HERE, { limit: PAGE, ...(cursor ? { cursor } : {}) });
      yield page.entries;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  } catch (error) {
    if (!isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) throw error;
  }
}
