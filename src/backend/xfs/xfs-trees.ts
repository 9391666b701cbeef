import type { Listing, ListOptions, ScannedEntry } from '../contract/entry.js';
import type {
  CopyOptions,
  OmitOptions,
  ScanOptions,
  TreeOperations,
  TreeUsage,
} from '../contract/tree-operations.js';
import type { TreeLocation, TreeTaskOptions } from '../contract/tree-task.js';
import type { AbstractVolumeAgent, ProjectStatus } from '../contract/volume-agent.js';

/**
 * As on any filesystem, but the use of a whole project is read from its quota record: in allocated blocks rather than
 * lengths of files. Vfolders in a quota scope share the scope's project, so those are walked.
 */
export class XfsTrees implements TreeOperations {
  readonly scansFast = false;
  readonly knowsUsageAtOnce = false;

  constructor(
    private readonly agent: AbstractVolumeAgent,
    private readonly volume: string,
    private readonly posix: TreeOperations,
  ) {}

  async usage(location: TreeLocation, options?: TreeTaskOptions): Promise<TreeUsage> {
    const project = await this.projectAt(location);
    if (project === null) return await this.posix.usage(location, options);
    // The directory itself is charged to its project and does not count here.
    return { fileCount: Math.max(0, project.usedInodes - 1), usedBytes: project.usedBytes };
  }

  list(
    root: TreeLocation,
    path: Buffer,
    options: ListOptions & OmitOptions & TreeTaskOptions,
  ): Promise<Listing> {
    return this.posix.list(root, path, options);
  }

  scan(
    root: TreeLocation,
    path: Buffer,
    options?: ScanOptions,
  ): AsyncIterable<readonly ScannedEntry[]> {
    return this.posix.scan(root, path, options);
  }

  copy(source: TreeLocation, destination: TreeLocation, options?: CopyOptions): Promise<void> {
    return this.posix.copy(source, destination, options);
  }

  remove(
    location: TreeLocation,
    options?: TreeTaskOptions & { readonly keepDirectory?: boolean },
  ): Promise<void> {
    return this.posix.remove(location, options);
  }

  removeEntry(root: TreeLocation, path: Buffer, options?: TreeTaskOptions): Promise<void> {
    return this.posix.removeEntry(root, path, options);
  }

  close(deadlineMs: number): Promise<void> {
    return this.posix.close(deadlineMs);
  }

  /** Whatever goes wrong here, a walk finds the answer, or the error that concerns the location. */
  private async projectAt({ path }: TreeLocation): Promise<ProjectStatus | null> {
    try {
      return await this.agent.describeProject(this.volume, path);
    } catch {
      return null;
    }
  }
}
