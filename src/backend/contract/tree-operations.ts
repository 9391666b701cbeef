import type { Listing, ListOptions, ScannedEntry } from './entry.js';
import type { TreeLocation, TreeTaskOptions } from './tree-task.js';

export interface TreeUsage {
  /** Every entry below the directory, directories included, the directory itself not. */
  readonly fileCount: number;
  /** Sum of st_size over the counted entries (lstat; links are counted, not followed); of files alone where `lagSeconds` is set. */
  readonly usedBytes: number;
  /** Set when the figures come from counters that may be so far behind what has been written. */
  readonly lagSeconds?: number;
}

export interface OmitOptions {
  /** Names directly below the location that are left out with everything under them. */
  readonly omit?: readonly Buffer[];
}

export interface ScanOptions extends TreeTaskOptions, OmitOptions {
  /** Regular files of 1 to so many bytes may come with their content; none do by default. */
  readonly contentUpToBytes?: number;
}

export interface UsageOptions extends TreeTaskOptions, OmitOptions {
  /** Counts, however long that takes, although the filesystem has counters that are somewhat behind. */
  readonly exact?: boolean;
}

export interface CopyOptions extends TreeTaskOptions, OmitOptions {
  /** Mount path of the volume of `destination`, when it is not the one of `source`. */
  readonly destinationVolumePath?: string;
  /** Sync data and names to stable storage before resolving. */
  readonly durable?: boolean;
}

/**
 * Work on whole directories, which may hold millions of entries. None of these calls occupies the event
 * loop or a thread of libuv's pool, none follows a symlink below the location, and all may be repeated.
 *
 * Errors: system errors of the location itself (ENOENT, ENOTDIR, EACCES …) reject as native SystemError;
 * entries that vanish during a walk are not errors.
 */
export interface TreeOperations {
  /** Whether `list` and `scan` use something faster than reading directories. */
  readonly scansFast: boolean;
  /** Whether `usage` costs the same however large the tree is. */
  readonly knowsUsageAtOnce: boolean;

  /** One directory, not recursive. Links on the way to the directory are followed while they stay inside `root`. */
  list(
    root: TreeLocation,
    path: Buffer,
    options: ListOptions & OmitOptions & TreeTaskOptions,
  ): Promise<Listing>;

  /**
   * Every file, directory and link below, in batches, with backpressure: reading stops while nobody asks for
   * the next batch. Left out: special files, the content of directories that may not be read, and what lies
   * deeper than a path of 4095 bytes, which no call could open. `root` confines `path` as in `list`.
   */
  scan(
    root: TreeLocation,
    path: Buffer,
    options?: ScanOptions,
  ): AsyncIterable<readonly ScannedEntry[]>;

  usage(location: TreeLocation, options?: UsageOptions): Promise<TreeUsage>;

  /**
   * Copies the content of `source` into `destination`, which is made when missing: modes and times kept,
   * links copied as links, reflinks where the filesystem has them, sparse files stay sparse, special files
   * left out; files with several names become several files, and set-id bits go with the owner they were for.
   * Every file appears whole or not at all to users other than the proxy's: directories that are made get
   * their mode when they are filled. Repeating it over a half-made copy completes the copy: a file
   * whose size and modification time agree is taken as done, another one is replaced. A directory that stands
   * where the source has something else is an error. Missing parents of the destination are an error too.
   */
  copy(source: TreeLocation, destination: TreeLocation, options?: CopyOptions): Promise<void>;

  /**
   * Removes the directory with everything below. Missing is success. Read-only directories are made writable
   * on the way. With `keepDirectory` the directory itself stays, empty.
   */
  remove(
    location: TreeLocation,
    options?: TreeTaskOptions & { readonly keepDirectory?: boolean },
  ): Promise<void>;

  /** Removes what stands at `path` beneath `root`: a tree, a file, or a link itself. Missing is success. Links on the way are followed while inside. */
  removeEntry(root: TreeLocation, path: Buffer, options?: TreeTaskOptions): Promise<void>;

  /** Ends threads and child processes; resolves when none is left or the deadline (ms) has passed. */
  close(deadlineMs: number): Promise<void>;
}
