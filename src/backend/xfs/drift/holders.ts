import type { DiskQuota } from '../../../native/disk-quota.js';
import type { ProjectLimits } from '../../contract/volume-agent.js';
import type { ProjectRoot } from './volume-layout.js';

/**
 * Of directories with one id: the one that it was made for, even if it carries another one now; else the one that is
 * listed with it, else the first.
 */
export function holdersOfIds(
  roots: readonly ProjectRoot[],
  listed: ReadonlyMap<string, number>,
): Map<number, string> {
  const holders = new Map<number, string>();
  const claim = (idOf: (root: ProjectRoot) => number | null): void => {
    for (const root of roots) {
      const id = idOf(root);
      if (id !== null && !holders.has(id)) holders.set(id, root.path);
    }
  };
  claim(({ projectId, recordedProject }) => (projectId === recordedProject ? projectId : null));
  claim(({ recordedProject }) => recordedProject);
  claim(({ path, projectId }) => (listed.get(path) === projectId ? projectId : null));
  claim(({ projectId }) => projectId);
  return holders;
}

/** What a directory is to be limited to that had part in the project of this record. */
export function limitsOf(record: DiskQuota | null, recordedLimit: number | null): ProjectLimits {
  const { hardBytes, softBytes, hardInodes, softInodes } = record ?? {};
  const bytes = recordedLimit ?? hardBytes ?? null;
  return {
    ...(bytes !== null && { hardBytes: bytes }),
    ...(softBytes && (bytes === null || softBytes <= bytes) && { softBytes }),
    ...(hardInodes && { hardInodes }),
    ...(softInodes && { softInodes }),
  };
}
