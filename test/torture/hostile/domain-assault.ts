import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newVFolderId, vfolderPath } from '../../support/ids.js';
import { Random, SEED } from '../random.js';
import { Attackers } from './attackers.js';
import { CANARY, Canaries } from './canaries.js';
import { DomainProcess, type Answer, type Call } from './domain-process.js';
import { linkTargets } from './link-targets.js';
import { HostilePaths } from './paths.js';

const PROCESSES = 2;
/** Calls in one message, all of which run at the same time. */
const BATCH = 32;
/** Messages under way to a process, so that it never waits for the next. */
const LANES = 2;
const MKDIR_PATHS = 48;
const LOOK_PATHS = 256;
const DELETE_PATHS = 3;

export interface DomainAssaultOptions {
  /** An empty directory for the volume and what lies around it. */
  readonly directory: string;
  /** The build. */
  readonly dist: string;
  /** It goes on longer until each operation has succeeded once. */
  readonly durationMs: number;
  /** End at the first violation. */
  readonly untilViolation?: boolean;
}

/**
 * The assault on the domain itself, without listeners and requests between, which is many times as many paths a second.
 */
export class DomainAssault {
  readonly figures = {
    /** Hostile paths given to the domain. */
    attempts: 0,
    /** Those of them that were only resolved, which is quickest. */
    looks: 0,
    swaps: 0,
  };
  readonly violations = new Set<string>();
  readonly #random = new Random('domain assault');
  readonly #operations = operationsOf(new HostilePaths(this.#random), this.#random);
  readonly #untried = new Set(Object.keys(this.#operations));

  private constructor(
    private readonly options: DomainAssaultOptions,
    private readonly volumePath: string,
    private readonly canaries: readonly Canaries[],
  ) {}

  /** Rejects when the attack itself fails. */
  static async run(options: DomainAssaultOptions): Promise<DomainAssault> {
    const volumePath = join(options.directory, 'volume');
    mkdirSync(volumePath, { recursive: true });
    writeFileSync(join(volumePath, 'version.txt'), '3\n');
    const outside = new Canaries(join(options.directory, 'outside'));
    const neighbour = new Canaries(join(volumePath, vfolderPath(newVFolderId('scoped'))));
    const assault = new DomainAssault(options, volumePath, [outside, neighbour]);
    const attackers = Attackers.start(2, SEED, linkTargets(volumePath, outside, neighbour));
    const setting = {
      dist: options.dist,
      volumePath,
      canary: CANARY,
      inodes: [...outside.inodes, ...neighbour.inodes],
    };
    const processes = Array.from({ length: PROCESSES }, () => new DomainProcess(setting));
    try {
      await Promise.all(processes.map((each) => each.ready()));
      await assault.go(processes, attackers);
    } finally {
      attackers.kill();
      await Promise.all(processes.map((each) => each.stop()));
    }
    return assault;
  }

  private async go(processes: readonly DomainProcess[], attackers: Attackers): Promise<void> {
    const folders = [newVFolderId('scoped'), newVFolderId('bare')];
    for (const vfid of folders) {
      await processes[0]!.perform([{ operation: 'create', vfid, paths: [], flag: false }]);
      await attackers.takeOn(join(this.volumePath, vfolderPath(vfid)));
    }
    const { durationMs, untilViolation = false } = this.options;
    const deadline = Date.now() + durationMs;
    const goesOn = (): boolean =>
      !(untilViolation && this.violations.size > 0) &&
      (Date.now() < deadline || this.#untried.size > 0);
    const lane = async (domain: DomainProcess): Promise<void> => {
      while (goesOn()) {
        const calls = Array.from({ length: BATCH }, () => this.call(this.#random.pick(folders)));
        this.judge(calls, await domain.perform(calls));
      }
    };
    await Promise.all(processes.flatMap((each) => Array.from({ length: LANES }, () => lane(each))));
    this.figures.swaps = await attackers.stop();
    for (const canaries of this.canaries) this.violated(canaries.disturbedInDepth());
  }

  private call(vfid: string): Call {
    const operation = this.#random.pick(Object.keys(this.#operations));
    const paths = this.#operations[operation]!();
    return { operation, vfid, paths, flag: this.#random.chance(0.5) };
  }

  private judge(calls: readonly Call[], { worked, violations }: Answer): void {
    for (const { operation, paths } of calls) {
      this.figures.attempts += paths.length;
      if (operation === 'look') this.figures.looks += paths.length;
    }
    for (const operation of worked) this.#untried.delete(operation);
    this.violated(violations);
    for (const canaries of this.canaries) this.violated(canaries.disturbed());
  }

  private violated(what: readonly string[]): void {
    for (const one of what) this.violations.add(one);
  }
}

/** What paths each operation of domain-host.mjs is given. */
function operationsOf(paths: HostilePaths, random: Random): Record<string, () => string[]> {
  const several = (most: number): string[] =>
    paths.several(random.between(1, most), () => paths.fresh());
  return {
    look: () => paths.several(LOOK_PATHS, () => paths.any()),
    list: () => [paths.directory()],
    mkdir: () => several(MKDIR_PATHS),
    rename: () => [paths.any()],
    move: () => [paths.any(), paths.any()],
    delete: () => several(DELETE_PATHS),
    mount: () => [paths.any()],
    fetch: () => [paths.file()],
    download: () => [paths.file(), paths.directory()],
    archive: () => several(DELETE_PATHS),
    upload: () => [random.chance(0.3) ? paths.fresh() : paths.file()],
  };
}
