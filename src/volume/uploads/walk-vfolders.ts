import type { TreeLocation } from '../../backend/contract/tree-task.js';
import { Errno, isErrno } from '../../native/errno.js';
import { QuotaScopeId } from '../ids/quota-scope-id.js';
import { VFolderId } from '../ids/vfolder-id.js';
import type { Volume } from '../volume.js';

const VOLUME_ROOT: TreeLocation = { path: Buffer.from('.') };
const SCOPE = /^[0-9a-f]{32}$/;
const PREFIX = /^[0-9a-f]{2}$/;
const REST = /^[0-9a-f]{28}$/;

/**
 * Every vfolder that is on the volume, by its place in the layout (protocol section 2.6), scoped and unscoped.
 * The type of a scope is not in the path: what comes back says `user` for all of them.
 */
export async function* walkVFolders(
  volume: Volume,
  signal: AbortSignal,
): AsyncGenerator<VFolderId> {
  for (const name of await directories(volume, '.', signal)) {
    if (PREFIX.test(name)) yield* below(volume, null, name, signal);
    if (!SCOPE.test(name)) continue;
    const scope = QuotaScopeId.of('user', name);
    for (const prefix of await directories(volume, name, signal)) {
      if (PREFIX.test(prefix)) yield* below(volume, scope, prefix, signal);
    }
  }
}

async function* below(
  volume: Volume,
  scope: QuotaScopeId | null,
  outer: string,
  signal: AbortSignal,
): AsyncGenerator<VFolderId> {
  const base = scope ? `${scope.pathname}/${outer}` : outer;
  for (const inner of await directories(volume, base, signal)) {
    if (!PREFIX.test(inner)) continue;
    for (const rest of await directories(volume, `${base}/${inner}`, signal)) {
      if (REST.test(rest)) yield VFolderId.of(scope, outer + inner + rest);
    }
  }
}

/** Names of the directories at a place of the layout; none when it vanished meanwhile. */
async function directories(volume: Volume, path: string, signal: AbortSignal): Promise<string[]> {
  try {
    const options = { limit: 0, signal };
    const { entries } = await volume.strategies.trees.list(VOLUME_ROOT, Buffer.from(path), options);
    return entries
      .filter(({ type }) => type === 'DIRECTORY')
      .map(({ name }) => name.toString('latin1'));
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) return [];
    throw error;
  }
}
