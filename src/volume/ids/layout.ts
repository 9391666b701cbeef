import type { TreeLocation } from '../../backend/contract/tree-task.js';
import type { QuotaScopeId } from './quota-scope-id.js';
import type { VFolderId } from './vfolder-id.js';

/**
 * Where things are on a volume (protocol section 2.6, and what is ours beside it). Everything here is a
 * path relative to the volume's mount path.
 */

/** In a vfolder: staging files of running uploads. */
export const UPLOAD_DIRECTORY = '.upload';
/** In a scope, or on the volume for unscoped ids: vfolders being deleted. Same filesystem, same quota. */
export const TRASH_DIRECTORY = '.trash';
/** In a scope: clones that are not whole yet. */
export const STAGING_DIRECTORY = '.staging';
/** On the volume: the layout version that the original's migration tool writes. */
export const LAYOUT_MARKER = 'version.txt';

/** Modes before the umask (protocol section 2.7). */
export const PREFIX_MODE = 0o777;
export const VFOLDER_MODE = 0o755;
/** Trash and staging hold other people's data and are nobody's business but ours. */
export const PRIVATE_MODE = 0o700;

/** The directory that holds a vfolder's prefix directories: of its scope, or `''` for the volume itself. */
function basePath(scope: QuotaScopeId | null): string {
  return scope ? `${scope.pathname}/` : '';
}

/** The scope's directory. */
export function scopePath(scope: QuotaScopeId): Buffer {
  return Buffer.from(scope.pathname);
}

/** The vfolder's directory: `[<scope>/]h0h1/h2h3/h4…h31`. */
export function vfolderPath(id: VFolderId): Buffer {
  return Buffer.from(basePath(id.scope) + tailOf(id));
}

/** The same relative to the scope's directory, or to the volume for an unscoped id. */
export function vfolderPathInScope(id: VFolderId): Buffer {
  return Buffer.from(tailOf(id));
}

function tailOf({ folder }: VFolderId): string {
  return `${folder.slice(0, 2)}/${folder.slice(2, 4)}/${folder.slice(4)}`;
}

/** The two prefix directories of a vfolder, inner one first: what is removed, when empty, after it. */
export function prefixPaths(id: VFolderId): [inner: Buffer, outer: Buffer] {
  const { folder } = id;
  const outer = basePath(id.scope) + folder.slice(0, 2);
  return [Buffer.from(`${outer}/${folder.slice(2, 4)}`), Buffer.from(outer)];
}

/** The vfolder as tree operations take it. */
export function vfolderLocation(id: VFolderId): TreeLocation {
  return { path: vfolderPath(id) };
}

/** Where vfolders of this scope are moved to be deleted. */
export function trashPath(scope: QuotaScopeId | null): Buffer {
  return Buffer.from(basePath(scope) + TRASH_DIRECTORY);
}

/** Where clones into this scope are made. */
export function stagingPath(scope: QuotaScopeId): Buffer {
  return Buffer.from(basePath(scope) + STAGING_DIRECTORY);
}
