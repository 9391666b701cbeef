/** Of claims that were not looked at for so long nothing has to be remembered. */
const FORGOTTEN_AFTER_MS = 600_000;
const PRUNED_AT = 1_000;
/** Sizes seen closer together say nothing more. */
const APART_MS = 250;

interface Sighting {
  /** What was staged a lag ago, so that the usage has it. */
  countedBytes: number;
  /** Sizes seen since, in order. */
  readonly sizes: { readonly atMs: number; readonly bytes: number }[];
  endedAtMs: number | undefined;
  lookedAtMs: number;
}

/**
 * When this process saw what of which upload, by its own clock: times of files are by the clocks of other hosts. So
 * it can tell what a usage that lags behind has in it by now.
 */
export class Sightings {
  readonly #seen = new Map<string, Sighting>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Of the `stagedBytes` that an upload has now, those that usage must include which is `lagMs` behind. */
  countedBytes(session: string, stagedBytes: number, lagMs: number): number {
    const sighting = this.#of(session);
    const { sizes, lookedAtMs: nowMs } = sighting;
    if (nowMs - (sizes.at(-1)?.atMs ?? -Infinity) >= Math.min(APART_MS, lagMs)) {
      sizes.push({ atMs: nowMs, bytes: stagedBytes });
    }
    while (sizes[0] !== undefined && nowMs - sizes[0].atMs >= lagMs) {
      sighting.countedBytes = Math.max(sighting.countedBytes, sizes.shift()!.bytes);
    }
    // What was cut off again has to come once more.
    sighting.countedBytes = Math.min(sighting.countedBytes, stagedBytes);
    return sighting.countedBytes;
  }

  /** Whether an upload that has ended was seen to have done so `lagMs` ago. */
  hasEndedFor(session: string, lagMs: number): boolean {
    const sighting = this.#of(session);
    sighting.endedAtMs ??= sighting.lookedAtMs;
    return sighting.lookedAtMs - sighting.endedAtMs >= lagMs;
  }

  forget(session: string): void {
    this.#seen.delete(session);
  }

  #of(session: string): Sighting {
    const lookedAtMs = this.now();
    let sighting = this.#seen.get(session);
    if (sighting === undefined) {
      this.#prune(lookedAtMs);
      sighting = { countedBytes: 0, sizes: [], endedAtMs: undefined, lookedAtMs };
      this.#seen.set(session, sighting);
    }
    sighting.lookedAtMs = lookedAtMs;
    return sighting;
  }

  #prune(nowMs: number): void {
    if (this.#seen.size < PRUNED_AT) return;
    for (const [session, { lookedAtMs }] of this.#seen) {
      if (nowMs - lookedAtMs > FORGOTTEN_AFTER_MS) this.#seen.delete(session);
    }
  }
}
