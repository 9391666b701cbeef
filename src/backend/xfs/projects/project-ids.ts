import { StorageError } from '../../../errors/storage-error.js';
import { calls } from '../../../native/calls.js';

/** Ids that new projects may get, both ends included. */
export interface ProjectIdRange {
  readonly projectIdMin: number;
  readonly projectIdMax: number;
}

const MOST_SKIPPED = 100;

/**
 * Finds an id that nothing on the filesystem carries and nobody has listed. There is no register of ids in
 * the filesystem, but its quota records tell: an inode with an id keeps a record of it, and so does a limit.
 *
 * The caller holds the volume's lock, and has given the id to a directory or a limit before letting it go.
 */
export class ProjectIds {
  /** Where the last one was found; only a place to go on from, so that not all records are looked at each time. */
  #last = 0;

  constructor(private readonly range: ProjectIdRange) {}

  /**
   * `fd`: any open file of the filesystem.
   *
   * @throws StorageError UNAVAILABLE when the range is used up
   */
  async next(fd: number, listed: readonly number[]): Promise<number> {
    const { projectIdMin, projectIdMax } = this.range;
    const taken = new Set(listed.filter((id) => id >= projectIdMin && id <= projectIdMax));
    const start = [...taken].reduce((most, id) => Math.max(most, id), this.#last) + 1;
    const found =
      (await this.firstFree(fd, Math.max(start, projectIdMin), taken)) ??
      (await this.firstFree(fd, projectIdMin, taken));
    if (found === undefined) throw this.usedUp();
    this.#last = found;
    return found;
  }

  /** Somebody else takes the same ids at the same moment: goes on somewhere else. */
  skip(): void {
    this.#last += 1 + Math.floor(Math.random() * MOST_SKIPPED);
  }

  /**
   * A free id from `from` on, close to the first one: steps that double until an id is free, then halves between it and
   * the last taken one. So it costs few calls, however many ids in a row are taken. Between the steps there may be others,
   * which are looked for one by one only when the steps end in vain.
   */
  private async firstFree(
    fd: number,
    from: number,
    taken: ReadonlySet<number>,
  ): Promise<number | undefined> {
    const { projectIdMax } = this.range;
    const isFree = async (id: number): Promise<boolean> =>
      !taken.has(id) && (await calls.projectQuota(fd, id)) === null;
    let below = from - 1;
    for (let step = 1; from - 1 + step <= projectIdMax; step *= 2) {
      const id = from - 1 + step;
      if (await isFree(id)) return await lowestBetween(below, id, isFree);
      below = id;
    }
    for (let id = from; id <= projectIdMax; id++) if (await isFree(id)) return id;
    return undefined;
  }

  private usedUp(): StorageError {
    const { projectIdMin, projectIdMax } = this.range;
    return new StorageError(
      'UNAVAILABLE',
      `all project ids from ${projectIdMin} to ${projectIdMax} are in use: widen project-id-min and project-id-max of the volume's options`,
      { subject: 'volume' },
    );
  }
}

/** An id above `below` with a taken one right under it, when `below` is taken and `free` is not. */
async function lowestBetween(
  below: number,
  free: number,
  isFree: (id: number) => Promise<boolean>,
): Promise<number> {
  while (free - below > 1) {
    const middle = below + Math.floor((free - below) / 2);
    if (await isFree(middle)) free = middle;
    else below = middle;
  }
  return free;
}
