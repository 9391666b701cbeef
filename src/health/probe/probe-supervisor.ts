import type { ProbeReport } from './probe-report.js';
import { VolumeWatch, type ProbeTiming, type StartProber } from './volume-watch.js';

export interface ProbeTarget {
  readonly volume: string;
  readonly path: string;
}

/** Watches all volumes of a process group, each through a prober process of its own. */
export class ProbeSupervisor {
  readonly #watches = new Map<string, VolumeWatch>();

  /** `changed` is called after every probe, with all that is known. */
  constructor(
    private readonly timing: ProbeTiming,
    private readonly startProber: StartProber,
    private readonly changed: (report: ProbeReport) => void,
  ) {}

  /** Watches exactly these volumes from now on; those watched already at the same path go on undisturbed. */
  watch(targets: readonly ProbeTarget[]): void {
    const wanted = new Map(targets.map((target) => [target.volume, target.path]));
    for (const [volume, watch] of this.#watches) {
      if (wanted.get(volume) === watch.path) wanted.delete(volume);
      else {
        watch.stop();
        this.#watches.delete(volume);
      }
    }
    for (const [volume, path] of wanted) {
      const watch = new VolumeWatch(volume, path, this.timing, this.startProber, this.changed);
      this.#watches.set(volume, watch);
    }
  }

  reports(): ProbeReport[] {
    return [...this.#watches.values()].map((watch) => watch.report);
  }

  stop(): void {
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
  }
}
