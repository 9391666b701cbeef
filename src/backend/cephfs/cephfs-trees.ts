import { StorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { Listing, ListOptions, ScannedEntry } from '../contract/entry.js';
import type {
  CopyOptions,
  ScanOptions,
  TreeOperations,
  TreeUsage,
  UsageOptions,
} from '../contract/tree-operations.js';
import type { TreeLocation, TreeTaskOptions } from '../contract/tree-task.js';
import type { PosixTrees } from '../posix/posix-trees.js';
import { Attribute, LAG_SECONDS } from './ceph-attributes.js';

const HERE = Buffer.from('.');
const COUNTERS = [Attribute.bytes, Attribute.files, Attribute.directories];

interface Count {
  readonly entries: number;
  readonly bytes: number;
}

/** Usage from the recursive statistics that the metadata server keeps of every directory; the rest by plain system calls. */
export class CephTrees implements TreeOperations {
  readonly scansFast = false;
  readonly knowsUsageAtOnce = true;

  constructor(private readonly posix: PosixTrees) {}

  /** One call, however large the tree is; the figures are up to `lagSeconds` behind, and bytes are those of files alone. */
  async usage(location: TreeLocation, options: UsageOptions = {}): Promise<TreeUsage> {
    const { exact = false, omit = [], ...task } = options;
    // By ceph-fuse a directory has the size of all that is in it: summing those up would count everything twice.
    if (exact) return await this.posix.usage(location, { ...task, omit, filesOnly: true });
    let { entries, bytes } = await this.#count(location, task);
    for (const name of omit) {
      const left = await this.#count(below(location, name), task).catch(nothingThere);
      entries -= left.entries;
      bytes -= left.bytes;
    }
    return {
      // The directory itself does not count. What is below may be counted before what is above has heard of it.
      fileCount: Math.max(0, entries - 1),
      usedBytes: Math.max(0, bytes),
      lagSeconds: LAG_SECONDS,
    };
  }

  list(root: TreeLocation, path: Buffer, options: ListOptions & TreeTaskOptions): Promise<Listing> {
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

  async remove(
    location: TreeLocation,
    options?: TreeTaskOptions & { readonly keepDirectory?: boolean },
  ): Promise<void> {
    try {
      await this.posix.remove(location, options);
    } catch (error) {
      throw await this.#explain(error, location);
    }
  }

  async removeEntry(root: TreeLocation, path: Buffer, options?: TreeTaskOptions): Promise<void> {
    try {
      await this.posix.removeEntry(root, path, options);
    } catch (error) {
      throw await this.#explain(error, below(root, path));
    }
  }

  close(deadlineMs: number): Promise<void> {
    return this.posix.close(deadlineMs);
  }

  /** Of the directory and all below. */
  async #count(location: TreeLocation, options: TreeTaskOptions): Promise<Count> {
    const [bytes, files, directories] = await this.posix.attributes(location, COUNTERS, options);
    if (bytes == null || files == null || directories == null) throw notOnCeph();
    return { entries: Number(files) + Number(directories), bytes: Number(bytes) };
  }

  /** An emptied directory that has snapshots cannot be removed, and all that the kernel says is ENOTEMPTY. */
  async #explain(error: unknown, location: TreeLocation): Promise<unknown> {
    if (!isErrno(error, Errno.ENOTEMPTY)) return error;
    try {
      const [snapshots] = await this.posix.attributes(location, [Attribute.snapshots]);
      return Number(snapshots ?? 0) > 0 ? keptBySnapshots(Number(snapshots), error) : error;
    } catch {
      return error;
    }
  }
}

function nothingThere(error: unknown): Count {
  if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) return { entries: 0, bytes: 0 };
  throw error;
}

function below(root: TreeLocation, path: Buffer): TreeLocation {
  return {
    path: path.equals(HERE) ? root.path : Buffer.concat([root.path, Buffer.from('/'), path]),
  };
}

function keptBySnapshots(count: number, cause: Error): StorageError {
  return new StorageError(
    'NOT_EMPTY',
    `${count} snapshots keep directories from being removed; their content is gone. Remove the snapshots first`,
    { subject: 'entry', errno: Errno.ENOTEMPTY },
    { cause },
  );
}

function notOnCeph(): StorageError {
  return new StorageError('UNAVAILABLE', 'the directory is not on CephFS', { subject: 'volume' });
}
