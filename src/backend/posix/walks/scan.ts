import { S_IFDIR, S_IFLNK, S_IFREG } from '../../../native/constants.js';
import { StatBuffer } from '../../../native/stat-buffer.js';
import { Descent } from '../descent.js';
import { BatchWriter } from '../entry-codec.js';
import type { Pace, Walk } from '../walk.js';
import { SmallContent } from './small-content.js';
import { enterIfReadable, statCurrentIfPresent } from './tolerance.js';

/** PATH_MAX without its NUL. */
const MAX_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;
const SLASH = 0x2f;

export interface ScanRequest {
  /** Names in the top directory that are left out, with what is below. */
  readonly omit?: readonly Buffer[];
  /** See `ScanOptions`. */
  readonly contentUpToBytes?: number;
}

/**
 * Batches of every file, directory and link below the directory `fd`, which is taken over. A level's state is
 * the length of its path with the `/` behind it.
 */
export function* scan(
  fd: number,
  pace: Pace,
  { omit = [], contentUpToBytes = 0 }: ScanRequest = {},
): Walk<void> {
  const descent = new Descent<number>(fd, 0, pace.hidden);
  const stat = new StatBuffer();
  const batch = new BatchWriter(contentUpToBytes);
  const path = Buffer.allocUnsafeSlow(MAX_PATH_BYTES + MAX_NAME_BYTES + 1);
  try {
    const contents = SmallContent.beneath(fd, contentUpToBytes);
    for (;;) {
      if (!descent.next()) {
        if (descent.depth === 0) break;
        descent.leave();
        continue;
      }
      const { entry, here } = descent;
      const end = here.state + entry.copyName(path, here.state);
      const isLeftOut =
        end > MAX_PATH_BYTES ||
        (descent.depth === 0 && omit.some((name) => name.equals(path.subarray(0, end))));
      const content = isLeftOut ? undefined : contents?.read(stat, here.fd, entry);
      if (content) {
        pace.count(stat.size);
        batch.add(stat, path.subarray(0, end), { content });
      } else if (!isLeftOut && statCurrentIfPresent(stat, descent)) {
        const { type } = stat;
        if (type === S_IFREG || type === S_IFDIR || type === S_IFLNK) {
          pace.count(stat.size);
          batch.add(stat, path.subarray(0, end));
        }
        if (type === S_IFDIR) {
          path[end] = SLASH;
          enterIfReadable(descent, Buffer.from(path.subarray(here.state, end)), end + 1);
        }
      }
      const due = pace.step();
      if (batch.isFull || (due && batch.isDue)) yield batch.take();
      else if (due) yield;
    }
    if (!batch.isEmpty) yield batch.take();
  } finally {
    descent.close();
  }
}
