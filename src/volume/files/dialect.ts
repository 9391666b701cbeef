import type { VFolderId } from '../ids/vfolder-id.js';

/** Where managers of the two generations expect different things of one operation (protocol section 3.7). */
export interface FileDialect {
  /** Deleting an entry that is not there: passed over, or fs-error 2. */
  readonly missingIsDeleted: boolean;
  /**
   * What `symlink_target` is relative to: the listed directory, or the vfolder and then written absolute.
   * The original gave the old generation host paths; those stay inside (S14).
   */
  readonly linkTargets: 'from-listed-directory' | 'from-vfolder';
}

const CURRENT: FileDialect = { missingIsDeleted: true, linkTargets: 'from-listed-directory' };
const LEGACY: FileDialect = { missingIsDeleted: false, linkTargets: 'from-vfolder' };

/** The id's generation picks the dialect. */
export function fileDialect(id: VFolderId): FileDialect {
  return id.scope === null ? LEGACY : CURRENT;
}
