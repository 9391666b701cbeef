import { VFolderId } from '../ids/vfolder-id.js';
import { QuotaScopeId } from '../ids/quota-scope-id.js';
import { TRASH_DIRECTORY } from '../ids/layout.js';
import type { JobId } from './job.js';

/**
 * The name of a vfolder in the trash carries all that the deletion needs to know, so that deleting writes no
 * file and works in a full quota: `<job>.<user|project>.<folder hex>`, or `<job>.<folder hex>` for unscoped
 * ids. The type is there because a scope's directory name has none, and the events need it.
 */
export interface TrashName {
  readonly jobId: JobId;
  readonly vfolder: VFolderId;
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const GRAMMAR = new RegExp(`^(${UUID})(?:\\.(user|project))?\\.([0-9a-f]{32})$`);

/** Without a trash directory, and no room to make one, the vfolder waits beside where that would be. */
const SIBLING_PREFIX = `${TRASH_DIRECTORY}-`;

export function formatTrashName({ jobId, vfolder }: TrashName): string {
  return [jobId, ...(vfolder.scope ? [vfolder.scope.type] : []), vfolder.folder].join('.');
}

/** `scopeHex` names the scope directory the trash is in, `null` the volume's own; `undefined` for other names. */
export function parseTrashName(name: string, scopeHex: string | null): TrashName | undefined {
  const [, jobId, type, folder] = GRAMMAR.exec(name) ?? [];
  if (jobId === undefined || folder === undefined) return undefined;
  if (scopeHex === null) {
    return type === undefined ? { jobId, vfolder: VFolderId.of(null, folder) } : undefined;
  }
  if (type !== 'user' && type !== 'project') return undefined;
  return { jobId, vfolder: VFolderId.of(QuotaScopeId.of(type, scopeHex), folder) };
}

export function formatSiblingName(name: TrashName): string {
  return SIBLING_PREFIX + formatTrashName(name);
}

export function parseSiblingName(name: string, scopeHex: string | null): TrashName | undefined {
  if (!name.startsWith(SIBLING_PREFIX)) return undefined;
  return parseTrashName(name.slice(SIBLING_PREFIX.length), scopeHex);
}
