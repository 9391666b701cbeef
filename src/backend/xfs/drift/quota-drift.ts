import { isErrno } from '../../../native/errno.js';
import type { DiskQuota } from '../../../native/disk-quota.js';
import type { VolumeSettings } from '../../contract/backend.js';
import { ListedProjects, ownProjectOf } from '../projects/project-ownership.js';
import type { ProjectFiles } from '../projects/project-registry.js';
import { VolumeProjects } from '../projects/volume-projects.js';
import type { XfsOptions } from '../xfs.options.js';
import { chargeTree, type Strays } from './charge-tree.js';
import type { Finding, FindingKind } from './finding.js';
import { holdersOfIds, limitsOf, type Holder } from './holders.js';
import { listedDirectories, putListingRight, type ListingFinding } from './listing.js';
import { layoutsOn } from './neighbours.js';
import { VolumeAccess } from './volume-access.js';
import {
  GONE,
  readLayout,
  readRoot,
  type ProjectRoot,
  type VolumeLayout,
} from './volume-layout.js';

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
    const listed = this.listedIn(await this.#projects.listed());
    const neighbours = this.layoutsBeside().flatMap(({ roots }) => roots);
    const holders = holdersOfIds({ roots: layout.roots, neighbours, listed });
    const roots: ProjectRoot[] = [];
    for (const { path } of layout.roots) {
      const root = await this.checkRoot(path, holders, listed);
      if (root) roots.push(root);
    }
    for (const path of layout.strayPrefixes) this.chargePrefix(path, layout.projectId);
    await this.checkOrphans(layout, roots);
    await this.checkListing(roots);
  }

  /**
   * The root as it is afterwards; without the id that it should not have. Going through the others may have taken hours, so
   * it is read again.
   */
  private async checkRoot(
    path: string,
    holders: ReadonlyMap<number, Holder>,
    listed: ListedProjects,
  ): Promise<ProjectRoot | null> {
    try {
      const root = readRoot(this.settings.path, path);
      if (root === null) return null;
      const { projectId, recordedProject, inode } = root;
      const own = recordedProject ?? listed.of(root);
      // Unless the record came with a copy of somebody else's directory.
      if (own !== null && own !== projectId && holders.get(own)?.inode === inode) {
        return await this.restore(root, own);
      }
      if (projectId === null) {
        return await this.renew(root, 'no-project', 'is charged to no project');
      }
      const holder = holders.get(projectId);
      if (holder !== undefined && holder.inode !== inode) {
        const text = `has project ${projectId}, that of ${holder.path}`;
        return await this.renew(root, 'shared-id', text);
      }
      if (recordedProject === null && own !== null && own !== projectId) {
        return await this.renew(root, 'wrong-id', notProven(projectId));
      }
      await this.checkRecord(root, projectId, listed);
      this.checkEntries(path, projectId);
      await this.checkLimit(path, projectId);
      return root;
    } catch (error) {
      // Deleted while this was looking at it.
      if (isErrno(error, ...GONE)) return null;
      throw error;
    }
  }

  /** Gives the directory, which carries another id, the one that was made for it. */
  private async restore(root: ProjectRoot, projectId: number): Promise<ProjectRoot> {
    const { path, carriedId } = root;
    const text = `carries project ${carriedId}, and ${projectId} was made for it`;
    if (!this.options.fix) {
      this.found('wrong-id', path, text);
      return { ...root, projectId: null };
    }
    if (!(await this.#projects.restore(Buffer.from(path), carriedId, projectId))) return root;
    const strays = this.charge(path, projectId);
    this.found('wrong-id', path, `${text}${cannot(strays.left)}`, strays.left === 0);
    this.checkUnread(path, strays);
    await this.checkLimit(path, projectId);
    return { ...root, projectId };
  }

  /** A new id for the directory and everything in it. */
  private async renew(root: ProjectRoot, kind: FindingKind, text: string): Promise<ProjectRoot> {
    const { path, projectId: seen, carriedId, recordedLimit } = root;
    if (!this.options.fix) {
      this.found(kind, path, text);
      return { ...root, projectId: null };
    }
    const limits = limitsOf(seen === null ? null : this.#volume.record(seen), recordedLimit);
    const projectId = await this.#projects.renew(Buffer.from(path), carriedId, limits);
    if (projectId === null) return readRoot(this.settings.path, path) ?? root;
    const strays = this.charge(path, projectId);
    this.found(kind, path, `${text}${cannot(strays.left)}`, strays.left === 0);
    this.checkUnread(path, strays);
    return { ...root, projectId };
  }

  /** An id of our range that nobody noted and nothing lists could be anybody's: requests refuse it. */
  private async checkRecord(
    root: ProjectRoot,
    projectId: number,
    listed: ListedProjects,
  ): Promise<void> {
    const { path, carriedId, recordedProject } = root;
    if (recordedProject === projectId) return;
    if (this.options.fix) await this.#projects.restore(Buffer.from(path), carriedId, projectId);
    if (ownProjectOf(root, listed, this.settings.options)?.projectId === projectId) return;
    this.found('wrong-id', path, notProven(projectId));
  }

  private checkEntries(path: string, projectId: number): void {
    const strays = this.charge(path, projectId);
    this.checkUnread(path, strays);
    const { count, left, first } = strays;
    if (count === 0) return;
    const where = first === '' ? 'the directory itself' : first;
    const text = `${count} entries are not charged to project ${projectId}, the first is ${where}${cannot(left)}`;
    this.found('foreign-entries', path, text, left === 0);
  }

  private checkUnread(path: string, { unread, firstUnread }: Strays): void {
    if (firstUnread === null) return;
    const { path: first, reason } = firstUnread;
    const text = `${unread} entries could not be looked at, the first is ${first} (${reason.message})`;
    this.found('unreadable', path, text, false);
  }

  private charge(path: string, projectId: number): Strays {
    const fd = this.#volume.open(path, projectId);
    return chargeTree(fd, projectId, {
      fix: this.options.fix,
      onEntry: () => this.options.onProgress(++this.#entries, this.#expected),
    });
  }

  private chargePrefix(path: string, projectId: number): void {
    if (this.options.fix) this.#volume.charge(path, projectId);
    this.found('foreign-entries', path, 'holds vfolders and is itself charged to another project');
  }

  /** While nobody changes limits: both figures are read again. */
  private async checkLimit(path: string, projectId: number): Promise<void> {
    await this.#projects.alone(async () => {
      const root = readRoot(this.settings.path, path);
      if (root?.carriedId !== projectId || root.recordedLimit === null) return;
      const { recordedLimit } = root;
      const limit = this.#volume.record(projectId)?.hardBytes ?? null;
      // The kernel rounds limits up to its blocks, so the record may be a little larger.
      const excess = limit === null ? -1 : limit - recordedLimit;
      if (excess >= 0 && excess < this.#volume.blockBytes) return;
      if (this.options.fix) await this.#volume.limit(path, projectId, recordedLimit);
      const text = `project ${projectId} is limited to ${limit ?? 'no'} bytes, but ${recordedLimit} were asked for`;
      this.found('wrong-limit', path, text);
    });
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

  /** While no project is being made. */
  private async checkOrphans(layout: VolumeLayout, roots: readonly ProjectRoot[]): Promise<void> {
    const { isWholeFilesystem } = this.#volume;
    await this.#projects.alone(async () => {
      const files = await this.#projects.listed();
      const listed = new Set(listedDirectories(files, this.settings.path).values());
      const live = this.liveIds(layout, this.listedIn(files));
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
    const work = async (files: ProjectFiles | null): Promise<readonly ListingFinding[]> =>
      files ? putListingRight(files, roots, this.settings) : [];
    let findings: readonly ListingFinding[] = [];
    let failure: Error | undefined;
    if (this.options.fix) {
      try {
        findings = await this.#projects.maintain(work);
      } catch (error) {
        failure = error as Error;
      }
    }
    if (!this.options.fix || failure) findings = await work(await this.#projects.listed());
    const why = failure ? `; the files could not be written: ${failure.message}` : '';
    for (const { path, text } of findings) this.found('listing', path, `${text}${why}`, !failure);
  }

  /** Ids that something on the filesystem has by right: what is there now, also on volumes beside this one. */
  private liveIds(before: VolumeLayout, listed: ListedProjects): Set<number> {
    const layouts = [before, readLayout(this.settings.path), ...this.layoutsBeside()];
    const known = new Set(layouts.flatMap(({ roots }) => roots.map(({ inode }) => inode)));
    const elsewhere = listed.lines.filter(({ inode }) => !known.has(inode));
    const live = new Set<number>([0, ...elsewhere.map(({ projectId }) => projectId)]);
    for (const { projectId, leavingIds, roots } of layouts) {
      for (const id of [projectId, ...leavingIds]) live.add(id);
      for (const root of roots) {
        if (root.projectId !== null) live.add(root.projectId);
        const own = root.recordedProject ?? listed.of(root);
        if (own !== null) live.add(own);
      }
    }
    return live;
  }

  private layoutsBeside(): VolumeLayout[] {
    return layoutsOn(this.#volume.dev, this.options.neighbours);
  }

  private listedIn(files: ProjectFiles | null): ListedProjects {
    return ListedProjects.readSync(this.#volume.dev, files?.projects.lines ?? []);
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

function notProven(projectId: number): string {
  return `carries project ${projectId}, and nothing says that it is its own`;
}

function cannot(left: number): string {
  return left > 0 ? `; ${left} could not be changed` : '';
}

function expectedEntries({ roots }: VolumeLayout, records: Records): number {
  const ids = new Set(roots.flatMap(({ projectId }) => projectId ?? []));
  return [...ids].reduce((sum, id) => sum + (records.get(id)?.usedInodes ?? 0), 0);
}
