import type { DiskQuota } from '../../../native/disk-quota.js';
import type { ProjectLimits } from '../../contract/volume-agent.js';
import type { ListedProjects } from '../projects/project-ownership.js';
import type { ProjectRoot } from './volume-layout.js';

/** What there is on one filesystem. */
export interface Claimants {
  /** Of the volume that is looked at. */
  readonly roots: readonly ProjectRoot[];
  /** Of others on the filesystem, by whole paths. */
  readonly neighbours: readonly ProjectRoot[];
  readonly listed: ListedProjects;
}

/** Whose an id is. Directories are the same when their inodes are: a volume may be seen at several paths. */
export interface Holder {
  readonly path: string;
  readonly inode: bigint;
}

/**
 * Of directories with one id: the one that it was made for, even if it carries another one now; else the one that is
 * listed with it, even if that is no scope or vfolder; else the first, those of other volumes before.
 *
 * A directory that is listed with one id has no claim to another one: its owner made it carry that.
 */
export function holdersOfIds({ roots, neighbours, listed }: Claimants): Map<number, Holder> {
  const holders = new Map<number, Holder>();
  const claim = <C extends Holder>(
    claimants: readonly C[],
    idOf: (claimant: C) => number | null,
  ): void => {
    for (const claimant of claimants) {
      const id = idOf(claimant);
      if (id !== null && !holders.has(id)) holders.set(id, claimant);
    }
  };
  const all = [...roots, ...neighbours];
  const unrecorded = all.filter(({ recordedProject }) => recordedProject === null);
  const known = new Set(all.map(({ inode }) => inode));
  const elsewhere = listed.lines
    .filter(({ inode }) => !known.has(inode))
    .map(({ directory, inode, projectId }) => ({ path: directory, inode, projectId }));
  claim(all, ({ projectId, recordedProject }) =>
    projectId === recordedProject ? projectId : null,
  );
  claim(all, ({ recordedProject }) => recordedProject);
  claim(unrecorded, (root) => (listed.of(root) === root.projectId ? root.projectId : null));
  claim(elsewhere, ({ projectId }) => projectId);
  claim(unrecorded, (root) => listed.of(root));
  claim([...neighbours, ...roots], (root) =>
    root.recordedProject === null && listed.of(root) !== null ? null : root.projectId,
  );
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
