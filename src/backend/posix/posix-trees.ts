import type { Entry, Listing, ListOptions, ScannedEntry } from '../contract/entry.js';
import type {
  CopyOptions,
  OmitOptions,
  ScanOptions,
  TreeOperations,
  TreeUsage,
  UsageOptions,
} from '../contract/tree-operations.js';
import type { TreeLocation, TreeTaskOptions } from '../contract/tree-task.js';
import { isStorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import { decodeEntries, decodeScannedEntries } from './entry-codec.js';
import type { TreePool } from './tree-pool.js';
import { together } from './together.js';

const SLASH = Buffer.from('/');

/** Removes with more privilege than this process has; rejects with StorageError when it cannot even try. */
export type RemoveForeign = (
  path: Buffer,
  options: { readonly keepDirectory: boolean; readonly signal?: AbortSignal },
) => Promise<void>;

/** Trees by plain system calls, in the worker threads of the volume: what every mounted filesystem can do. */
export class PosixTrees implements TreeOperations {
  readonly scansFast = false;
  readonly knowsUsageAtOnce = false;

  constructor(
    private readonly pool: TreePool,
    private readonly removeForeign?: RemoveForeign,
  ) {}

  async list(
    root: TreeLocation,
    path: Buffer,
    {
      limit,
      cursor,
      omit = [],
      onEntries,
      ...options
    }: ListOptions & OmitOptions & TreeTaskOptions,
  ): Promise<Listing> {
    const entries: Entry[] = [];
    const nextCursor = await this.pool.run<string | undefined>(
      { kind: 'list', root: root.path, path, limit, cursor, omit },
      options,
      (batch) => {
        const decoded = decodeEntries(batch);
        for (const entry of decoded) entries.push(entry);
        onEntries?.(decoded);
      },
    );
    return { entries, ...(nextCursor !== undefined && { nextCursor }) };
  }

  async *scan(
    root: TreeLocation,
    path: Buffer,
    { omit = [], contentUpToBytes = 0, ...options }: ScanOptions = {},
  ): AsyncGenerator<readonly ScannedEntry[], void> {
    const order = { kind: 'scan', root: root.path, path, omit, contentUpToBytes } as const;
    for await (const batch of this.pool.stream(order, options)) yield decodeScannedEntries(batch);
  }

  /**
   * By all threads of the volume, since asking for sizes is all there is to it.
   *
   * @param options with `filesOnly`, the sizes of directories are left out
   */
  async usage(
    { path }: TreeLocation,
    {
      omit = [],
      filesOnly = false,
      ...options
    }: UsageOptions & { readonly filesOnly?: boolean } = {},
  ): Promise<TreeUsage> {
    const count = this.pool.maxThreads;
    const parts = await together(count, options, (index, task) => {
      const share = { index, count };
      return this.pool.run<TreeUsage>({ kind: 'usage', path, omit, filesOnly, share }, task);
    });
    return {
      fileCount: parts.reduce((sum, part) => sum + part.fileCount, 0),
      usedBytes: parts.reduce((sum, part) => sum + part.usedBytes, 0),
    };
  }

  /** Extended attributes of a directory, in the order of `names`; `null` for each that it does not have. */
  attributes(
    location: TreeLocation,
    names: readonly string[],
    options?: TreeTaskOptions,
  ): Promise<readonly (string | null)[]> {
    return this.pool.run({ kind: 'attributes', path: location.path, names }, options);
  }

  copy(source: TreeLocation, destination: TreeLocation, options: CopyOptions = {}): Promise<void> {
    const { destinationVolumePath, durable = false, omit = [], ...task } = options;
    return this.pool.run(
      {
        kind: 'copy',
        source: source.path,
        destination: destination.path,
        destinationVolumePath,
        omit,
        durable,
      },
      task,
    );
  }

  async remove(
    { path }: TreeLocation,
    {
      keepDirectory = false,
      ...options
    }: TreeTaskOptions & { readonly keepDirectory?: boolean } = {},
  ): Promise<void> {
    await this.#orForeign(
      () => this.pool.run({ kind: 'remove', path, keepDirectory }, options),
      path,
      { keepDirectory, ...options },
    );
  }

  /** What lies behind a link on the way is not found again with more privilege, and stays what it was. */
  async removeEntry(root: TreeLocation, path: Buffer, options?: TreeTaskOptions): Promise<void> {
    await this.#orForeign(
      () => this.pool.run({ kind: 'remove-entry', root: root.path, path }, options),
      Buffer.concat([root.path, SLASH, path]),
      { keepDirectory: false, ...options },
    );
  }

  async #orForeign(
    removal: () => Promise<void>,
    path: Buffer,
    { keepDirectory, signal }: TreeTaskOptions & { readonly keepDirectory: boolean },
  ): Promise<void> {
    try {
      await removal();
    } catch (error) {
      // By now only what other users closed to this one is left.
      if (!this.removeForeign || !isErrno(error, Errno.EACCES, Errno.EPERM)) throw error;
      await this.removeForeign(path, { keepDirectory, ...(signal && { signal }) }).catch(
        (reason: unknown) => {
          // Without an agent, or where it does not go, it stays what it was.
          const isOurs = isStorageError(reason) || isErrno(reason, Errno.ELOOP, Errno.ENOTDIR);
          throw isOurs ? error : reason;
        },
      );
    }
  }

  close(deadlineMs: number): Promise<void> {
    return this.pool.close(deadlineMs);
  }
}
