import { Beneath } from '../../native/beneath.js';
import { isErrno } from '../../native/errno.js';
import type { TreeOperations } from '../contract/tree-operations.js';
import { posixTrees } from '../posix/posix-strategies.js';
import { FAST_REMOVE, FastRemoveTrees } from './fast-remove-trees.js';
import type { PureStorageOptions } from './purestorage.options.js';
import type { FileSystem } from './purity/flash-blade.js';
import { Anchors } from './rapidfile/anchors.js';
import { confinementFor, type Confinement } from './rapidfile/confinement.js';
import { RapidFileTrees } from './rapidfile/rapidfile-trees.js';
import { ToolRunner } from './rapidfile/tool-runner.js';
import { ToolTroubles } from './rapidfile/tool-troubles.js';
import { findToolkit } from './rapidfile/toolkit.js';
import { habitsOf } from './rapidfile/toolkit-habits.js';
import { Tools } from './rapidfile/tools.js';

/** The array's own directories: read-only snapshots in every directory, and what it deletes in the background. */
export const RESERVED_NAMES: readonly Buffer[] = [Buffer.from('.snapshot'), FAST_REMOVE];

export interface PureStorageTreesSettings {
  readonly volume: string;
  readonly path: string;
  readonly options: PureStorageOptions;
  readonly fileSystem: FileSystem;
}

export interface PureStorageTrees {
  readonly trees: TreeOperations;
  /** What went wrong with the toolkit of late. */
  readonly troubles: () => readonly string[];
  readonly warnings: readonly string[];
}

/** The trees of a volume, with the means that it has. Throws ToolError when the toolkit is wanted and missing. */
export async function pureStorageTrees(
  settings: PureStorageTreesSettings,
): Promise<PureStorageTrees> {
  const { volume, path, options } = settings;
  const warnings: string[] = [];
  const troubles = new ToolTroubles(volume);
  const fastRemoveTrouble = options.fastRemove ? await lackingFastRemove(settings) : null;
  if (fastRemoveTrouble !== null) warnings.push(fastRemoveTrouble);
  const toolkit =
    options.rapidFile === 'off' ? undefined : await findToolkit(options.rapidFilePath);
  let trees: TreeOperations = posixTrees({ name: volume, path }, { reservedNames: RESERVED_NAMES });
  if (toolkit) {
    const confinement = await confinementFor({
      toolkit,
      volumePath: path,
      readable: options.rapidFileReadable,
    });
    const isWanted = options.confinement === 'required';
    if (isWanted && confinement.kind === 'none') warnings.push(unconfined(volume, confinement));
    const runner = new ToolRunner({
      processes: options.processes,
      confinement: isWanted && confinement.kind === 'kernel' ? confinement : null,
    });
    const tools = new Tools(toolkit, runner, RESERVED_NAMES);
    const mayWalk = !isWanted || confinement.kind === 'kernel';
    const habits = await habitsOf(tools, path, mayWalk);
    if (!habits.listsAll) {
      warnings.push(hides(volume, 'pls', habits.listsAll, 'directories are read'));
    }
    if (mayWalk && !habits.usage?.countsAll) {
      warnings.push(hides(volume, 'pdu', habits.usage?.countsAll, 'trees are measured'));
    }
    trees = new RapidFileTrees(trees, {
      tools,
      volume,
      runner,
      anchors: new Anchors(path, RESERVED_NAMES),
      troubles,
      reservedNames: RESERVED_NAMES,
      listFrom: options.listFrom,
      mayWalk,
      habits,
    });
  }
  if (options.fastRemove && fastRemoveTrouble === null) trees = new FastRemoveTrees(trees, path);
  return { trees, troubles: () => troubles.recent(), warnings };
}

function hides(volume: string, tool: string, found: boolean | undefined, done: string): string {
  const fact = `${tool} of this toolkit leaves out names that begin with a dot`;
  const reason = found === undefined ? `whether ${fact} could not be found out` : fact;
  return `Volume "${volume}": ${reason}, so ${done} with plain system calls`;
}

function unconfined(volume: string, { reason }: Extract<Confinement, { kind: 'none' }>): string {
  return `Volume "${volume}": programs of the RapidFile Toolkit cannot be kept inside the folders they work on (${reason}), so only listings use them; usage, copies and deletions use plain system calls`;
}

/** Why fast removal cannot be used although it is wanted; `null` when it can. */
async function lackingFastRemove({
  volume,
  path,
  fileSystem,
}: PureStorageTreesSettings): Promise<string | null> {
  const remedy = 'so deletions use other means. Enable it on the array, or set fast_remove = false';
  if (!fileSystem.hasFastRemove) {
    return `Volume "${volume}": file system "${fileSystem.name}" has no fast-remove directory, ${remedy}`;
  }
  try {
    using mount = await Beneath.open(path);
    using _ = await mount.descend(FAST_REMOVE);
    return null;
  } catch (error) {
    if (!isErrno(error)) throw error;
    return `Volume "${volume}": ${path}/.fast-remove cannot be used (${error.code}): is the root of the file system mounted there? It is not, ${remedy}`;
  }
}
