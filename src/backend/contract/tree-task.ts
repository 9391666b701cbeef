/**
 * A vfolder, or something below it, as the tree operations take it. `path` leads from the volume's mount
 * path to the directory: bytes, relative, without `.` or `..`. It is opened beneath the mount path, so a
 * link inside that leads out is refused.
 */
export interface TreeLocation {
  readonly path: Buffer;
}

/** Live figures of a running tree operation; read them at any time from the thread that started it. */
export interface TreeProgress {
  entries: number;
  bytes: number;
}

export interface TreeTaskOptions {
  /** Stops the operation at the next entry; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called at most every 200 ms while the operation runs, and once at its end. */
  readonly onProgress?: (progress: Readonly<TreeProgress>) => void;
}
