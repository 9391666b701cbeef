import { isErrno } from '../../../native/errno.js';
import type { DiskQuota } from '../../../native/disk-quota.js';
import type { VolumeSettings } from '../../contract/backend.js';
import { VolumeProjects } from '../projects/volume-projects.js';
import type { XfsOptions } from '../xfs.options.js';
import { chargeTree, type Strays } from './charge-tree.js';
import type { Finding, FindingKind } from './finding.js';
import { listedDirectories, putListingRight } from './listing.js';
import { VolumeAccess } from './volume-access.js';
import { readLayout, type ProjectRoot, type VolumeLayout } from './volume-layout.js';

export interface DriftOptions {
  readonly fix: boolean;
  /** Mount paths of the other xfs volumes of the configuration, whose projects may be on the same filesystem. */
  readonly neighbours: readonly string[];
  readonly onFinding: (finding: Finding) => void;
  /** Called for every entry looked at; `expected` is how many there will be, as far as the quota records know. */
  readonly onProgress: (entries: number, expected: number) => void;
}

type Records = ReadonlyMap<number, DiskQuota>;

/**
 * Compares what is on an xfs volume with what its quotas need, and puts it right when asked to. Goes through every
 * file; the volume may be in use. For a command of the operator: it occupies its thread.
 */
export class QuotaDrift {
  readonly #projects: VolumeProjects;
  readonly #volume: VolumeAccess;
  #entries = 0;
  #expected = 0;

  constructor(
    private readonly settings: VolumeSettings<XfsOptions>,
    private readonly options: DriftOptions,
  ) {
    this.#projects = new VolumeProjects(settings);
    this.#volume = new VolumeAccess(settings.path);
  }

  /** @throws StorageError UNAVAILABLE when the volume has no project quotas, or this process may not manage them */
  async run(): Promise<void> {
    await this.#projects.check();
    const layout = readLayout(this.settings.path);
    const records = this.#volume.records();
    this.#expected = expectedEntries(layout, records);
    this.checkDefaults(records);
    const holders = await this.holdersOfIds(layout.roots);
    const roots: ProjectRoot[] = [];
    for (const root of layout.roots) roots.push(await this.checkRoot(root, holders, records));
    for (const path of layout.strayPrefixes) this.chargePrefix(path, layout.projectId);
    await this.checkOrphans(layout, roots);
    await this.checkListing(roots);
  }

  /** The root as it is afterwards; without the id that it should not have. */
  private async checkRoot(
    root: ProjectRoot,
    holders: ReadonlyMap<number, string>,
    records: Records,
  ): Promise<ProjectRoot> {
    const { path, projectId, recordedLimit } = root;
    try {
      if (projectId === null) {
        return await this.renew(root, recordedLimit, 'no-project', 'is charged to no project');
      }
      if (holders.get(projectId) !== path) {
        const limit = recordedLimit ?? records.get(projectId)?.hardBytes ?? null;
        const text = `has project ${projectId}, which is that of ${holders.get(projectId)}`;
        return await this.renew(root, limit, 'shared-id', text);
      }
      this.checkEntries(path, projectId);
      await this.checkLimit(root, projectId, records.get(projectId));
    } catch (error) {
      // Deleted while this was looking at it.
      if (!isErrno(error)) throw error;
    }
    return root;
  }

  /** A new id for the directory and everything in it. */
  private async renew(
    root: ProjectRoot,
    hardBytes: number | null,
    kind: FindingKind,
    text: string,
  ): Promise<ProjectRoot> {
    if (!this.options.fix) {
      this.found(kind, root.path, text);
      return { ...root, projectId: null };
    }
    const limits = hardBytes === null ? {} : { hardBytes };
    const projectId = await this.#projects.renew(Buffer.from(root.path), limits);
    const { left } = this.charge(root.path, projectId);
    this.found(kind, root.path, `${text}${cannot(left)}`, left === 0);
    return { ...root, projectId };
  }

  private checkEntries(path: string, projectId: number): void {
    const { count, left, first } = this.charge(path, projectId);
    if (count === 0) return;
    const where = first === '' ? 'the directory itself' : first;
    const text = `${count} entries are not charged to project ${projectId}, the first is ${where}${cannot(left)}`;
    this.found('foreign-entries', path, text, left === 0);
  }

  private charge(path: string, projectId: number): Strays {
    return chargeTree(this.#volume.open(path), projectId, {
      fix: this.options.fix,
      onEntry: () => this.options.onProgress(++this.#entries, this.#expected),
    });
  }

  private chargePrefix(path: string, projectId: number): void {
    if (this.options.fix) this.#volume.charge(path, projectId);
    this.found('foreign-entries', path, 'holds vfolders and is itself charged to another project');
  }

  /** The kernel rounds limits up to its blocks, so the record may be a little larger. */
  private async checkLimit(
    { path, recordedLimit }: ProjectRoot,
    projectId: number,
    record: DiskQuota | undefined,
  ): Promise<void> {
    if (recordedLimit === null) return;
    const limit = record?.hardBytes ?? null;
    const excess = limit === null ? -1 : limit - recordedLimit;
    if (excess >= 0 && excess < this.#volume.blockBytes) return;
    if (this.options.fix) {
      await this.#projects.limit(Buffer.from(path), { hardBytes: recordedLimit });
    }
    const text = `project ${projectId} is limited to ${limit ?? 'no'} bytes, but ${recordedLimit} were asked for`;
    this.found('wrong-limit', path, text);
  }

  /** Of directories with one id: the one that is listed with it keeps it, else the first. */
  private async holdersOfIds(roots: readonly ProjectRoot[]): Promise<Map<number, string>> {
    const listed = listedDirectories(await this.#projects.listed(), this.settings.path);
    const holders = new Map<number, string>();
    for (const { path, projectId } of roots) {
      if (projectId === null) continue;
      if (listed.get(path) === projectId || !holders.has(projectId)) holders.set(projectId, path);
    }
    return holders;
  }

  /** Limits of id 0 are what the kernel gives to every project that has none. They may be meant. */
  private checkDefaults(records: Records): void {
    const { hardBytes, softBytes, hardInodes, softInodes } = records.get(0) ?? {};
    if (!hardBytes && !softBytes && !hardInodes && !softInodes) return;
    this.options.onFinding({
      kind: 'default-limit',
      path: null,
      text: 'project 0 has limits, which every project without limits of its own gets',
      state: 'note',
    });
  }

  /** While no project is being made: the limit of a new one is there before its directory has the id. */
  private async checkOrphans(layout: VolumeLayout, roots: readonly ProjectRoot[]): Promise<void> {
    const { isWholeFilesystem } = this.#volume;
    await this.#projects.maintain(async (files) => {
      const listed = new Set(listedDirectories(files, this.settings.path).values());
      const live = this.liveIds(layout);
      for (const { projectId } of roots) if (projectId !== null) live.add(projectId);
      for (const { projectId, usedInodes } of this.#volume.records().values()) {
        const isOurs = this.isInRange(projectId) || listed.has(projectId);
        if (live.has(projectId) || !isOurs) continue;
        if (usedInodes === 0) this.removeOrphan(projectId);
        else if (isWholeFilesystem || listed.has(projectId)) {
          const text = `project ${projectId} is that of no scope or vfolder, but ${usedInodes} entries elsewhere are charged to it`;
          this.found('id-without-directory', null, text, false);
        }
      }
    });
  }

  /** Nothing on the filesystem carries the id: its directory would count as one. */
  private removeOrphan(projectId: number): void {
    if (this.options.fix) this.#volume.removeLimits(projectId);
    const text = `project ${projectId} has a limit, and nothing is charged to it`;
    this.found('id-without-directory', null, text);
  }

  private async checkListing(roots: readonly ProjectRoot[]): Promise<void> {
    const work = async (files: Awaited<ReturnType<VolumeProjects['listed']>>): Promise<void> => {
      if (!files) return;
      for (const { path, text } of putListingRight(files, roots, this.settings)) {
        this.found('listing', path, text);
      }
    };
    if (this.options.fix) await this.#projects.maintain(work);
    else await work(await this.#projects.listed());
  }

  /** Ids that something on the filesystem has by right: what is there now, also on volumes beside this one. */
  private liveIds(before: VolumeLayout): Set<number> {
    const { dev } = this.#volume;
    const beside = this.options.neighbours.filter((path) => devOf(path) === dev);
    const layouts = [before, ...[this.settings.path, ...beside].map(readLayout)];
    const live = new Set<number>([0]);
    for (const { projectId, leavingIds, roots } of layouts) {
      for (const id of [projectId, ...leavingIds]) live.add(id);
      for (const root of roots) if (root.projectId !== null) live.add(root.projectId);
    }
    return live;
  }

  private isInRange(projectId: number): boolean {
    const { projectIdMin, projectIdMax } = this.settings.options;
    return projectId >= projectIdMin && projectId <= projectIdMax;
  }

  private found(kind: FindingKind, path: string | null, text: string, canBeFixed = true): void {
    const state = this.options.fix && canBeFixed ? 'repaired' : 'found';
    this.options.onFinding({ kind, path, text, state });
  }
}

function cannot(left: number): string {
  return left > 0 ? `; ${left} could not be changed` : '';
}

function expectedEntries({ roots }: VolumeLayout, records: Records): number {
  const ids = new Set(roots.flatMap(({ projectId }) => projectId ?? []));
  return [...ids].reduce((sum, id) => sum + (records.get(id)?.usedInodes ?? 0), 0);
}

/** A volume that is not mounted now is on no filesystem of ours. */
function devOf(path: string): bigint | null {
  try {
    return new VolumeAccess(path).dev;
  } catch (error) {
    if (isErrno(error)) return null;
    throw error;
  }
}
