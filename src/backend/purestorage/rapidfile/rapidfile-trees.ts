import { Errno, isErrno } from '../../../native/errno.js';
import type { Listing, ListOptions, ScannedEntry } from '../../contract/entry.js';
import type {
  CopyOptions,
  OmitOptions,
  ScanOptions,
  TreeOperations,
  TreeUsage,
} from '../../contract/tree-operations.js';
import type { TreeLocation, TreeTaskOptions } from '../../contract/tree-task.js';
import { volumeClosing } from '../../posix/volume-closing.js';
import type { Anchors } from './anchors.js';
import { UncertainName } from './listing-record.js';
import { ToolError } from './tool-error.js';
import type { ToolRunner } from './tool-runner.js';
import type { ToolTroubles } from './tool-troubles.js';
import type { ToolkitHabits } from './toolkit-habits.js';
import type { Tools } from './tools.js';
import { ReservedEntry } from './usage-records.js';

const HERE = Buffer.from('.');
const VOLUME: TreeLocation = { path: HERE };
const PAGE = 1000;
type RemoveOptions = TreeTaskOptions & { readonly keepDirectory?: boolean };

export interface RapidFileParts {
  /** As configured. */
  readonly volume: string;
  readonly tools: Tools;
  readonly runner: ToolRunner;
  readonly anchors: Anchors;
  readonly troubles: ToolTroubles;
  readonly reservedNames: readonly Buffer[];
  /** Entries from which on a directory is worth a program. */
  readonly listFrom: number;
  /** Whether programs may go into trees: they are confined, or the operator does without. */
  readonly mayWalk: boolean;
  /** What the programs were seen to do. */
  readonly habits: ToolkitHabits;
}

/**
 * Trees with the help of the toolkit's programs, over the plain walks. A program does the bulk; the walk has the last
 * word where anything is changed: it finds done what is done, does what a program left or could not do, and keeps what
 * the contract promises. Where a program fails the walk does it all, and the operator hears of it.
 *
 * `scan` stays with the plain walk: the listing has no inode numbers and no order that puts a directory before its content.
 */
export class RapidFileTrees implements TreeOperations {
  readonly scansFast = true;
  readonly knowsUsageAtOnce = false;

  constructor(
    private readonly plain: TreeOperations,
    private readonly parts: RapidFileParts,
  ) {}

  /**
   * A page to go on from is read plainly, since the program has no position to go on from; and so is the start of the
   * others, which most directories end with.
   */
  async list(
    root: TreeLocation,
    path: Buffer,
    options: ListOptions & OmitOptions & TreeTaskOptions,
  ): Promise<Listing> {
    const { limit, cursor, signal, omit = [] } = options;
    const { anchors, tools, reservedNames, listFrom, habits } = this.parts;
    const isSmall = (limit > 0 && limit <= listFrom) || !habits.listsAll;
    if (isSmall || cursor !== undefined) return await this.plain.list(root, path, options);
    signal?.throwIfAborted();
    if (listFrom > 0) {
      const start = await this.plain.list(root, path, { ...options, limit: listFrom });
      if (start.nextCursor === undefined) return start;
    }
    using directory = await anchors.open(root, path);
    const entries = await this.#try('listing a directory', () =>
      tools.list(directory, limit, signal),
    );
    if (entries === undefined || entries === 'more')
      return await this.plain.list(root, path, options);
    options.onProgress?.({ entries: entries.length, bytes: 0 });
    const hidden = [...reservedNames, ...omit];
    return {
      entries: entries.filter(({ name }) => !hidden.some((each) => each.equals(name))),
    };
  }

  scan(
    root: TreeLocation,
    path: Buffer,
    options?: ScanOptions,
  ): AsyncIterable<readonly ScannedEntry[]> {
    return this.plain.scan(root, path, options);
  }

  async usage(location: TreeLocation, options: TreeTaskOptions = {}): Promise<TreeUsage> {
    options.signal?.throwIfAborted();
    const { anchors, tools, mayWalk, habits } = this.parts;
    if (!mayWalk || !habits.usage?.countsAll) return await this.plain.usage(location, options);
    const { isCumulative } = habits.usage;
    using directory = await anchors.open(location);
    const usage = await this.#try('measuring a tree', () =>
      tools.usage(directory, options, isCumulative),
    );
    return usage ?? (await this.plain.usage(location, options));
  }

  /** A program fills only what is new and empty, so that nothing there is followed or overwritten by it. */
  async copy(
    source: TreeLocation,
    destination: TreeLocation,
    options: CopyOptions = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    const isBegun =
      this.parts.mayWalk &&
      options.destinationVolumePath === undefined &&
      (await this.#copyBulk(source, destination, options));
    try {
      await this.plain.copy(source, destination, options);
    } catch (error) {
      // A program that went through a link, or met a tree that changed, left a directory where none belongs.
      if (!isBegun || !isErrno(error, Errno.EISDIR, Errno.ENOTDIR)) throw error;
      await this.plain.remove(destination, { keepDirectory: true });
      await this.plain.copy(source, destination, options);
    }
  }

  /** Whether the copy was begun: the destination then holds nothing but what the program put there. */
  async #copyBulk(
    source: TreeLocation,
    destination: TreeLocation,
    { signal, omit = [] }: CopyOptions,
  ): Promise<boolean> {
    const { anchors, tools, reservedNames } = this.parts;
    using from = await anchors.open(source);
    using to = await anchors.make(destination);
    if (to === undefined || !(await this.#isEmpty(destination))) return false;
    // A program cannot be told to leave them out, and snapshots can be many times what is copied.
    if (await anchors.shows(from, reservedNames)) return false;
    try {
      await this.#try('copying a tree', () => tools.copy(from, to, signal));
    } finally {
      // A program cannot be told to leave names out.
      for (const name of omit) await this.plain.removeEntry(destination, name);
    }
    return true;
  }

  async remove(location: TreeLocation, options: RemoveOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#removeBulk(HERE, location, options);
    await this.plain.remove(location, options);
  }

  async removeEntry(
    root: TreeLocation,
    path: Buffer,
    options: TreeTaskOptions = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#removeBulk(path, root, options);
    await this.plain.removeEntry(root, path, options);
  }

  async close(deadlineMs: number): Promise<void> {
    const { runner, volume } = this.parts;
    await Promise.all([
      runner.close(deadlineMs, volumeClosing(volume)),
      this.plain.close(deadlineMs),
    ]);
  }

  /** Only sub-trees are worth a program; the walk takes the rest, and whatever cannot be opened. */
  async #removeBulk(path: Buffer, root: TreeLocation, { signal }: TreeTaskOptions): Promise<void> {
    const { anchors, tools, mayWalk } = this.parts;
    if (!mayWalk) return;
    const [top, below] = path.equals(HERE) ? [VOLUME, root.path] : [root, path];
    using directory = await orUndefined(anchors.openEntry(top, below));
    if (directory === undefined) return;
    for await (const names of this.#subTrees(root, path)) {
      const done = await this.#try('removing trees', async () => {
        await tools.remove(directory, names, signal);
        return true;
      });
      if (!done) return;
    }
  }

  async *#subTrees(root: TreeLocation, path: Buffer): AsyncGenerator<Buffer[], void> {
    let cursor: string | undefined;
    do {
      const page = await orUndefined(
        this.plain.list(root, path, { limit: PAGE, ...(cursor !== undefined && { cursor }) }),
      );
      const names = (page?.entries ?? [])
        .filter(({ type }) => type === 'DIRECTORY')
        .map(({ name }) => name);
      if (names.length > 0) yield names;
      cursor = page?.nextCursor;
    } while (cursor !== undefined);
  }

  async #isEmpty(location: TreeLocation): Promise<boolean> {
    const { entries } = await this.plain.list(location, HERE, { limit: 1 });
    return entries.length === 0;
  }

  /** Undefined when the toolkit could not do it. Everything else goes on to the caller. */
  async #try<T>(doing: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof UncertainName) this.parts.troubles.noteUncertainName();
      else if (error instanceof ToolError) this.parts.troubles.note(error, doing);
      else if (!(error instanceof ReservedEntry)) throw error;
      return undefined;
    }
  }
}

/** For what the plain walk is about to try too: it says what is wrong. */
async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch {
    return undefined;
  }
}
