import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PROXY_DIRECTORY } from '../../contract/proxy-directory.js';
import { Anchors } from './anchors.js';
import { ToolError } from './tool-error.js';
import type { Tools } from './tools.js';

const NAMES = ['plain', '.hidden'];
/** Large enough to be no directory's own size. */
const DEEP_BYTES = 1 << 20;
const DEADLINE_MS = 10_000;

/** What programs do of which no public source says; undefined where it could not be found out. */
export interface ToolkitHabits {
  /** `pls` lists names that begin with a dot. */
  readonly listsAll: boolean | undefined;
  readonly usage: UsageHabits | undefined;
}

/** What `pdu` does. */
interface UsageHabits {
  /** It counts names that begin with a dot. */
  readonly countsAll: boolean;
  /** What it says of a directory contains what is below that. */
  readonly isCumulative: boolean;
}

const UNKNOWN: ToolkitHabits = { listsAll: undefined, usage: undefined };

/** Of programs that were tried before: volumes share them, and they do the same on each. */
const known = new Map<string, Promise<ToolkitHabits>>();

/**
 * Tries the programs on a small directory of the volume, once for each installed toolkit, and again where something
 * could not be found out.
 */
export async function habitsOf(
  tools: Tools,
  volumePath: string,
  mayWalk: boolean,
): Promise<ToolkitHabits> {
  const { pls, pdu } = tools.toolkit;
  const versions = await Promise.all([pls, pdu].map((program) => stat(program, { bigint: true })));
  const key = [mayWalk, pls, ...versions.flatMap(({ ino, mtimeNs }) => [ino, mtimeNs])].join(' ');
  const trying = known.get(key) ?? tryOut(tools, volumePath, mayWalk).catch(() => UNKNOWN);
  known.set(key, trying);
  const habits = await trying;
  const isFound = habits.listsAll !== undefined && (!mayWalk || habits.usage !== undefined);
  if (!isFound) known.delete(key);
  return habits;
}

async function tryOut(tools: Tools, volumePath: string, mayWalk: boolean): Promise<ToolkitHabits> {
  const ours = join(volumePath, PROXY_DIRECTORY);
  await mkdir(ours, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(ours, 'rapidfile-'));
  try {
    await Promise.all(NAMES.map((name) => writeFile(join(directory, name), '')));
    await mkdir(join(directory, 'deep'));
    await writeFile(join(directory, 'deep/file'), Buffer.alloc(DEEP_BYTES));
    using anchor = await new Anchors(directory, []).open({ path: Buffer.from('.') });
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const listed = await unlessItFails(tools.list(anchor, 0, signal));
    const usage = mayWalk ? await unlessItFails(tools.usage(anchor, { signal }, true)) : undefined;
    return {
      listsAll: Array.isArray(listed) ? listed.length === NAMES.length + 1 : undefined,
      usage: usage && {
        countsAll: usage.fileCount === NAMES.length + 2,
        isCumulative: usage.usedBytes >= DEEP_BYTES,
      },
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A program that fails, or takes its time, says nothing about its habits. */
async function unlessItFails<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    if (error instanceof ToolError || isLate) return undefined;
    throw error;
  }
}
