/** Limits of one project. A member left out stays as it is; `null` removes the limit. */
export interface ProjectLimits {
  /** Bytes; the filesystem rounds up to its blocks. */
  readonly hardBytes?: number | null;
  readonly softBytes?: number | null;
  readonly hardInodes?: number | null;
  readonly softInodes?: number | null;
}

/** A directory whose content is charged to a project of its own, from the quota record of that project. */
export interface ProjectStatus {
  /** 1 to 4294967294. */
  readonly projectId: number;
  readonly usedBytes: number;
  /** The directory itself is one of them. */
  readonly usedInodes: number;
  readonly hardBytes: number | null;
  readonly softBytes: number | null;
  readonly hardInodes: number | null;
  readonly softInodes: number | null;
  /** Seconds since the epoch when the soft limit begins to bind; `null` while it is not exceeded. */
  readonly bytesGraceEndsAt: number | null;
  readonly inodesGraceEndsAt: number | null;
}

export interface RemoveTreeOptions {
  /** The directory itself stays, empty. */
  readonly keepDirectory?: boolean;
  /** Stops the work at the next entry; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * The privileged work on volumes that an unprivileged proxy cannot do itself: a closed set of typed requests.
 * Also the injection token: the same implementation runs in this process when it is privileged, and behind the
 * agent's socket otherwise. Volumes are named as in the configuration of whoever carries the request out;
 * paths are bytes below the volume's mount path, without `.` and `..`, opened beneath it; a link on the way is refused.
 *
 * Every call may be repeated. Errors: StorageError `UNAVAILABLE` when the volume or the agent cannot be used, with what
 * was found and the remedy; `FORBIDDEN` when the agent does not serve this peer; `INVALID_ARGUMENT` for an unknown
 * volume or a refused limit; system errors of the directory as they are.
 */
export abstract class AbstractVolumeAgent {
  /** Resolves when projects can be made and limited on the volume. */
  abstract checkVolume(volume: string): Promise<void>;

  /**
   * Makes an empty directory the root of a project: an id of its own, inherited by what is made in it, and the limits.
   * A directory that is a project already keeps its id.
   */
  abstract initialiseProject(
    volume: string,
    path: Buffer,
    limits: ProjectLimits,
  ): Promise<ProjectStatus>;

  /** `null` for a directory that belongs to no project. */
  abstract describeProject(volume: string, path: Buffer): Promise<ProjectStatus | null>;

  /** Costs the same however much the directory holds. Rejects with ENODATA for a directory that is no project. */
  abstract limitProject(
    volume: string,
    path: Buffer,
    limits: ProjectLimits,
  ): Promise<ProjectStatus>;

  /** Removes limits and registration of an empty directory that is about to be removed. */
  abstract releaseProject(volume: string, path: Buffer): Promise<void>;

  /** Changes the owner of one entry, of a link itself. */
  abstract chown(volume: string, path: Buffer, uid: number, gid: number): Promise<void>;

  /** Removes an entry, a directory with everything in it, whoever owns that. Missing is success. May take hours. */
  abstract removeTree(volume: string, path: Buffer, options?: RemoveTreeOptions): Promise<void>;
}
