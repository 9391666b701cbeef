import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newScope, newVFolderId, vfolderPath } from '../../support/ids.js';
import type { TestServer } from '../../support/server.js';
import { Random, SEED } from '../random.js';
import { jsonOf, Wire, type Outcome } from '../wire.js';
import { Attackers } from './attackers.js';
import { CANARY, Canaries } from './canaries.js';
import { linkTargets } from './link-targets.js';
import { HostileRequests, type Attempt, type Target } from './requests.js';

const LANES = 16;
const VOLUME = 'local';
const LOOK_EVERY_MS = 250;
/** A hostile folder cannot keep a request longer than this, whatever is in it. */
const PATIENCE_MS = 90_000;

export interface AssaultFigures {
  requests: number;
  /** Paths that the product resolved while they were being exchanged. */
  attempts: number;
  swaps: number;
  readonly answers: Record<string, Record<string, number>>;
}

export interface AssaultOptions {
  /** It goes on longer until each operation has succeeded once. */
  readonly durationMs: number;
  /** End at the first violation. */
  readonly untilViolation?: boolean;
}

/**
 * Attackers inside of vfolders, requests of every kind to the same vfolders, and canaries all around: in a directory
 * beside the volume, and in a vfolder of somebody else on the same volume.
 */
export class Assault {
  readonly figures: AssaultFigures = { requests: 0, attempts: 0, swaps: 0, answers: {} };
  readonly violations = new Set<string>();
  readonly #random = new Random('assault');
  readonly #wire: Wire;
  readonly #requests: HostileRequests;
  readonly #scope = newScope();
  #over = false;

  private constructor(
    private readonly server: TestServer,
    private readonly canaries: readonly Canaries[],
    private readonly attackers: Attackers,
    private readonly options: AssaultOptions,
  ) {
    this.#wire = new Wire(server, { patienceMs: PATIENCE_MS });
    this.#requests = new HostileRequests(this.#wire, this.#random);
  }

  /** Runs against a server without any vfolder yet; returns what happened. Rejects when the attack itself fails. */
  static async run(server: TestServer, options: AssaultOptions): Promise<Assault> {
    const outside = new Canaries(join(server.directory, 'outside'));
    const neighbour = new Canaries(
      join(server.volumePath(VOLUME), vfolderPath(newVFolderId('scoped'))),
    );
    const targets = linkTargets(server.volumePath(VOLUME), outside, neighbour);
    const attackers = Attackers.start(2, SEED, targets);
    const assault = new Assault(server, [outside, neighbour], attackers, options);
    try {
      await assault.go();
    } finally {
      attackers.kill();
      assault.#wire.close();
    }
    return assault;
  }

  private async go(): Promise<void> {
    const folders = await Promise.all([
      this.newFolder(newVFolderId('scoped', this.#scope)),
      this.newFolder(newVFolderId('bare')),
    ]);
    for (const folder of folders) await this.attackers.takeOn(this.pathOf(folder));
    const watching = this.watch();
    const deadline = Date.now() + this.options.durationMs;
    // An operation that never succeeds is not being tested.
    const goesOn = (): boolean =>
      !this.#over && (Date.now() < deadline || this.neverWorked().length > 0);
    const lanes = Array.from({ length: LANES }, () => this.lane(folders, goesOn));
    await Promise.all([
      ...lanes,
      this.cloneAway(folders[0], goesOn),
      this.cloneInto(folders[1], goesOn),
      this.deleteUnderAttack(goesOn),
    ]);
    this.#over = true;
    await watching;
    this.figures.swaps = await this.attackers.stop();
    for (const canaries of this.canaries) this.violated(...canaries.disturbedInDepth());
  }

  /** One request after another, of any kind. */
  private async lane(folders: readonly Target[], goesOn: () => boolean): Promise<void> {
    const names = Object.keys(this.#requests.operations);
    while (goesOn()) {
      const name = this.#random.pick(names);
      const target = this.#random.pick(folders);
      this.judge(name, await this.#requests.operations[name]!(target));
    }
  }

  /** Clones of a folder under attack hold nothing that was outside. */
  private async cloneAway(source: Target, goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const clone = { volume: VOLUME, vfid: newVFolderId('scoped', this.#scope) };
      const outcome = await this.clone(source, clone);
      await this.jobEnd(outcome, goesOn);
      for (const path of filesBelow(this.pathOf(clone))) {
        if (path.includes(CANARY) || readFileSync(path).includes(CANARY)) {
          this.violated(`a clone holds ${path} from outside`);
        }
      }
      this.judge('delete of a clone', {
        paths: 1,
        outcomes: [await this.#wire.manager('POST', '/folder/delete', clone)],
      });
    }
  }

  /** A clone with a bare id fills a folder that is there, and here under attack. */
  private async cloneInto(destination: Target, goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const calm = await this.newFolder(newVFolderId('bare'));
      for (const name of ['d0', 'd1', 'd0/b']) mkdirSync(join(this.pathOf(calm), name));
      writeFileSync(join(this.pathOf(calm), 'd0/b/from-the-clone'), 'x');
      await this.clone(calm, destination);
      await this.#wire.manager('POST', '/folder/delete', calm);
    }
  }

  /** The sweep works on a tree whose owner still holds it open and goes on exchanging. */
  private async deleteUnderAttack(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const victim = await this.newFolder(newVFolderId('scoped', this.#scope));
      await this.attackers.takeOn(this.pathOf(victim));
      await sleep(this.#random.between(0, 300));
      const outcome = await this.#wire.manager('POST', '/folder/delete', victim);
      this.judge('delete of a folder', { paths: 1, outcomes: [outcome] });
    }
  }

  private async clone(source: Target, destination: Target): Promise<Outcome> {
    const outcome = await this.#wire.manager('POST', '/folder/clone', {
      src_volume: source.volume,
      src_vfid: source.vfid,
      dst_volume: destination.volume,
      dst_vfid: destination.vfid,
    });
    this.judge('clone', { paths: 1, outcomes: [outcome] });
    return outcome;
  }

  /** Operations without any success yet. */
  private neverWorked(): string[] {
    return Object.keys(this.#requests.operations).filter(
      (name) => !Object.keys(this.figures.answers[name] ?? {}).some((status) => status[0] === '2'),
    );
  }

  private async jobEnd(outcome: Outcome, goesOn: () => boolean): Promise<void> {
    const id = jsonOf(outcome)['bgtask_id'];
    if (typeof id !== 'string') return;
    const running = async (): Promise<boolean> => {
      const { state } = jsonOf(await this.#wire.manager('GET', `/jobs/${id}`));
      return ['pending', 'running'].includes(String(state));
    };
    while (goesOn() && (await running())) await sleep(20);
  }

  private judge(name: string, { paths, outcomes }: Attempt): void {
    this.figures.attempts += paths;
    this.figures.requests += outcomes.length;
    const answers = (this.figures.answers[name] ??= {});
    for (const outcome of outcomes) {
      const { status, bytes, hung } = outcome;
      answers[status] = (answers[status] ?? 0) + 1;
      if (bytes.includes(CANARY)) this.violated(`${name} answered with what is outside`);
      if (hung) this.violated(`${name} was not answered within ${PATIENCE_MS / 1000} s`);
      if (status >= 500 && status !== 503) {
        this.violated(`${name} answered ${status}: ${bytes.toString().slice(0, 500)}`);
      }
    }
  }

  private async watch(): Promise<void> {
    while (!this.#over) {
      for (const canaries of this.canaries) this.violated(...canaries.disturbed());
      if (!this.server.isRunning) this.violated(`the server ended:\n${this.server.output}`);
      await sleep(LOOK_EVERY_MS);
    }
  }

  private violated(...what: string[]): void {
    for (const one of what) this.violations.add(one);
    if (what.length > 0 && this.options.untilViolation) this.#over = true;
  }

  private async newFolder(vfid: string): Promise<Target> {
    const target = { volume: VOLUME, vfid };
    const { status, bytes } = await this.#wire.manager('POST', '/folder/create', target);
    if (status !== 204) throw new Error(`folder/create: ${status} ${bytes.toString()}`);
    return target;
  }

  private pathOf({ vfid }: Target): string {
    return join(this.server.volumePath(VOLUME), vfolderPath(vfid));
  }
}

function filesBelow(directory: string): string[] {
  let entries;
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}
