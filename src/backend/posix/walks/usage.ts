import { S_IFDIR } from '../../../native/constants.js';
import { DT_DIR, DT_UNKNOWN } from '../../../native/dirent.js';
import { StatBuffer } from '../../../native/stat-buffer.js';
import type { TreeUsage } from '../../contract/tree-operations.js';
import { Descent } from '../descent.js';
import type { Pace, Walk } from '../walk.js';
import { enterIfReadable, statCurrentIfPresent } from './tolerance.js';

/** STATX_TYPE | STATX_SIZE: all that is asked for, so that a network filesystem may answer from what it has. */
const TYPE_AND_SIZE = 0x201;

/**
 * One of `count` walks over the same tree, from 0 on: of the top directory's entries each takes those whose names fall
 * to it, with all that is below, so that together they count every entry once.
 */
export interface WalkShare {
  readonly index: number;
  readonly count: number;
}

export interface UsageRequest {
  /** Names in the top directory that do not count, nor what is below. */
  readonly omit?: readonly Buffer[];
  /** The sizes of directories are left out. */
  readonly filesOnly?: boolean;
  readonly share?: WalkShare;
}

const WHOLE: WalkShare = { index: 0, count: 1 };

/**
 * Counts every entry below the directory `fd`, which is taken over, and sums up their sizes. A directory that
 * may not be read counts as one entry.
 */
export function* usage(
  fd: number,
  pace: Pace,
  { omit = [], filesOnly = false, share = WHOLE }: UsageRequest = {},
): Walk<TreeUsage> {
  const { progress } = pace;
  const descent = new Descent<undefined>(fd, undefined, pace.hidden);
  const stat = new StatBuffer();
  try {
    for (;;) {
      if (!descent.next()) {
        if (descent.depth === 0) return { fileCount: progress.entries, usedBytes: progress.bytes };
        descent.leave();
        continue;
      }
      const { entry } = descent;
      const isLeftOut =
        omit.length > 0 && descent.depth === 0 && omit.some((name) => name.equals(entry.name()));
      // Who reads the same directory at the same time comes to the same shares.
      const isOurs = descent.depth > 0 || entry.nameHash() % share.count === share.index;
      if (isOurs && !isLeftOut && statCurrentIfPresent(stat, descent, TYPE_AND_SIZE)) {
        const isDirectory =
          entry.type === DT_DIR || (entry.type === DT_UNKNOWN && stat.type === S_IFDIR);
        pace.count(isDirectory && filesOnly ? 0 : stat.size);
        if (isDirectory) enterIfReadable(descent, entry.name(), undefined);
      }
      if (pace.step()) yield;
    }
  } finally {
    descent.close();
  }
}
