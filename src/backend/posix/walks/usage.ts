import { S_IFDIR } from '../../../native/constants.js';
import { DT_DIR, DT_UNKNOWN } from '../../../native/dirent.js';
import { StatBuffer } from '../../../native/stat-buffer.js';
import type { TreeUsage } from '../../contract/tree-operations.js';
import { Descent } from '../descent.js';
import type { HelpOffers } from '../helping.js';
import type { Pace, Walk } from '../walk.js';
import { enterIfReadable, statIfPresent } from './tolerance.js';

/** STATX_TYPE | STATX_SIZE: all that is asked for, so that a network filesystem may answer from what it has. */
const TYPE_AND_SIZE = 0x201;

/** A tree with fewer is not worth a second thread. */
const MIN_ENTRIES_TO_SHARE = 2_000;
/** Directories further down, or with a longer way, are walked here. */
const MAX_DEPTH = 16;
const MAX_PATH_BYTES = 2_048;
const SLASH = Buffer.from('/');

export interface UsagePlan {
  /** Where the directory is, see `TreeOrder`. */
  readonly below: Buffer;
  /** Names in the top directory that do not count. */
  readonly omit: readonly Buffer[];
  /** Leaves the sizes of directories out. */
  readonly filesOnly?: boolean | undefined;
  /** Other threads that would take a directory. */
  readonly offers: HelpOffers;
}

/**
 * Counts every entry below the directory `fd`, which is taken over, and sums up their sizes. A directory that
 * may not be read counts as one entry. Yields directories that it gives away, which are not counted but for
 * their own entry.
 */
export function* usage(fd: number, plan: UsagePlan, pace: Pace): Walk<TreeUsage> {
  const { progress } = pace;
  const { omit } = plan;
  const descent = new Descent<undefined>(fd, undefined, pace.hidden);
  const stat = new StatBuffer();
  try {
    for (;;) {
      if (!descent.next()) {
        if (descent.depth === 0) return { fileCount: progress.entries, usedBytes: progress.bytes };
        descent.leave();
        continue;
      }
      const { entry, here } = descent;
      const isLeftOut =
        omit.length > 0 && descent.depth === 0 && omit.some((name) => name.equals(entry.name()));
      if (!isLeftOut && statIfPresent(stat, here.fd, entry.nameAddress, TYPE_AND_SIZE)) {
        const isDirectory =
          entry.type === DT_DIR || (entry.type === DT_UNKNOWN && stat.type === S_IFDIR);
        pace.count(isDirectory && plan.filesOnly ? 0 : stat.size);
        if (isDirectory) {
          const given = giveAway(descent, entry.name(), plan, progress.entries);
          if (given) yield given;
          else enterIfReadable(descent, entry.name(), undefined);
        }
      }
      if (pace.step()) yield;
    }
  } finally {
    descent.close();
  }
}

/** The way to a sub-directory when somebody takes it, in memory of its own, since batches move between threads. */
function giveAway(
  descent: Descent<undefined>,
  name: Buffer,
  { below, offers }: UsagePlan,
  entries: number,
): Buffer | undefined {
  if (below.length === 0 && entries < MIN_ENTRIES_TO_SHARE) return undefined;
  if (descent.depth > MAX_DEPTH || !offers.take()) return undefined;
  const names = [...(below.length > 0 ? [below] : []), ...descent.names(), name];
  const length = names.reduce((sum, part) => sum + part.length + 1, -1);
  if (length > MAX_PATH_BYTES) {
    offers.offer();
    return undefined;
  }
  const path = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const part of names) {
    if (at > 0) at += SLASH.copy(path, at);
    at += part.copy(path, at);
  }
  return path;
}
