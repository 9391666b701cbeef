import { randomUUID } from 'node:crypto';
import { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { AT_SYMLINK_NOFOLLOW } from '../../native/constants.js';
import { isErrno } from '../../native/errno.js';
import { isDirectory } from '../../native/stat.js';
import type { Listing, ListOptions, ScannedEntry } from '../contract/entry.js';
import type {
  CopyOptions,
  OmitOptions,
  ScanOptions,
  TreeOperations,
  TreeUsage,
} from '../contract/tree-operations.js';
import type { TreeLocation, TreeTaskOptions } from '../contract/tree-task.js';

/** The array deletes in the background what is renamed into this directory of the file system's root. */
export const FAST_REMOVE = Buffer.from('.fast-remove');
const HERE = Buffer.from('.');
const PAGE = 1000;

type RemoveOptions = TreeTaskOptions & { readonly keepDirectory?: boolean };

/**
 * Deletes trees by one rename, for the array to remove in the background; no link is followed by that, nor can a
 * tenant get in its way. What cannot be renamed is deleted as before.
 */
export class FastRemoveTrees implements TreeOperations {
  constructor(
    private readonly inner: TreeOperations,
    private readonly volumePath: string,
  ) {}

  get scansFast(): boolean {
    return this.inner.scansFast;
  }

  get knowsUsageAtOnce(): boolean {
    return this.inner.knowsUsageAtOnce;
  }

  list(
    root: TreeLocation,
    path: Buffer,
    options: ListOptions & OmitOptions & TreeTaskOptions,
  ): Promise<Listing> {
    return this.inner.list(root, path, options);
  }

  scan(
    root: TreeLocation,
    path: Buffer,
    options?: ScanOptions,
  ): AsyncIterable<readonly ScannedEntry[]> {
    return this.inner.scan(root, path, options);
  }

  usage(location: TreeLocation, options?: TreeTaskOptions): Promise<TreeUsage> {
    return this.inner.usage(location, options);
  }

  copy(source: TreeLocation, destination: TreeLocation, options?: CopyOptions): Promise<void> {
    return this.inner.copy(source, destination, options);
  }

  async remove(location: TreeLocation, options: RemoveOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (options.keepDirectory) await this.#discardContent(location, options);
    else await this.#discard({ path: HERE }, location.path);
    await this.inner.remove(location, options);
  }

  async removeEntry(
    root: TreeLocation,
    path: Buffer,
    options: TreeTaskOptions = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#discard(root, path);
    await this.inner.removeEntry(root, path, options);
  }

  close(deadlineMs: number): Promise<void> {
    return this.inner.close(deadlineMs);
  }

  /** A page at a time from the start: what was renamed is not there any more. */
  async #discardContent(location: TreeLocation, { signal }: TreeTaskOptions): Promise<void> {
    for (;;) {
      const page = await this.inner.list(location, HERE, { limit: PAGE }).catch(() => undefined);
      const names = (page?.entries ?? []).filter(({ type }) => type === 'DIRECTORY');
      let discarded = 0;
      for (const { name } of names) {
        signal?.throwIfAborted();
        if (await this.#discard(location, name)) discarded++;
      }
      if (discarded === 0) return;
    }
  }

  /** False when it is no directory, or cannot be renamed there: whoever deletes it then says what is wrong. */
  async #discard(root: TreeLocation, path: Buffer): Promise<boolean> {
    try {
      // Without the reserved names, which keep clients out of this directory.
      using mount = await Beneath.open(this.volumePath);
      using bin = await mount.descend(FAST_REMOVE);
      using top = await mount.descend(root.path);
      return await top.within(path, async (parent, name) => {
        if (!isDirectory(await calls.statx(parent, name, AT_SYMLINK_NOFOLLOW))) return false;
        await calls.renameat2(parent, name, bin.fd, Buffer.from(randomUUID()));
        return true;
      });
    } catch (error) {
      if (isErrno(error)) return false;
      throw error;
    }
  }
}
