import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HookedServer } from '../hook/hooked-server.js';
import type { Random } from '../random.js';
import type { Outcome } from '../wire.js';
import { Stage, type Scenario } from './scenario.js';

/** The errors to be answered, with their numbers on Linux. */
export const ERRNOS = { EIO: 5, ENOSPC: 28, EDQUOT: 122, EINTR: 4, EMFILE: 24 } as const;
export type ErrnoName = keyof typeof ERRNOS;

/** What is made to fail: all that changes something, makes it durable, or finds it. */
export const FUNCTIONS = [
  'openat2',
  'openat',
  'statx',
  'getdents64',
  'mkdirat',
  'unlinkat',
  'renameat2',
  'symlinkat',
  'fchmodat',
  'fchmod',
  'futimens',
  'lseek',
  'ioctl',
  'flock',
  'read',
  'writev',
  'ftruncate',
  'fdatasync',
  'fsync',
  'syncfs',
  'copy_file_range',
  'sendfile',
  'fcntl',
] as const;

/** A path never makes so many calls of one function; the end is found by the fault that does not strike any more. */
const MOST_CALLS = 400;
const SETTLE_MS = 10_000;
/** Held as long as a walk for abandoned uploads goes on, which takes its time over the many folders made here. */
const SWEEP_LOCK = '/.storage-proxy/upload-sweep';

export interface CampaignFigures {
  operations: number;
  faults: number;
}

/** Fails the first, second, … call of each function during an operation, until the operation makes no more. */
export class Campaign {
  readonly figures: CampaignFigures = { operations: 0, faults: 0 };
  readonly violations: string[] = [];
  /** Told once. */
  readonly #leaked = new Set<string>();
  readonly #stage: Stage;
  readonly #worker: number;

  constructor(
    private readonly hooked: HookedServer,
    private readonly random: Random,
  ) {
    this.#stage = new Stage(hooked.server);
    this.#worker = hooked.workers()[0]!;
  }

  /**
   * @param errnos for each call; one of all by chance unless given
   * @param sparse of the calls of a job, fail the first, second, third, fifth, eighth and so on
   */
  async run(
    scenario: Scenario,
    { errnos, sparse }: { errnos?: readonly ErrnoName[]; sparse: boolean },
  ): Promise<void> {
    const step = (nth: number): number =>
      sparse && scenario.isJob ? Math.max(1, Math.floor(nth * 0.6)) : 1;
    for (const syscall of FUNCTIONS) {
      for (let nth = 1; nth < MOST_CALLS; nth += step(nth)) {
        const names = errnos ?? [this.random.pick(Object.keys(ERRNOS) as ErrnoName[])];
        let struck = 0;
        for (const errno of names) struck += await this.once(scenario, { syscall, nth, errno });
        if (struck === 0) break;
      }
    }
  }

  close(): void {
    this.#stage.close();
  }

  /** Returns whether the fault struck, as a number. */
  private async once(
    scenario: Scenario,
    { syscall, nth, errno }: { syscall: string; nth: number; errno: ErrnoName },
  ): Promise<number> {
    const violated = (what: string): void => {
      this.violations.push(
        `${scenario.name}, ${syscall} number ${nth} fails with ${errno}: ${what}`,
      );
    };
    await this.#stage.usable();
    const trial = await scenario.prepare(this.#stage);
    await this.hooked.arm({ syscall, nth, errno: ERRNOS[errno] }, this.#worker);
    let fired = 0;
    try {
      const outcomes = await trial.run();
      ({ fired } = await this.hooked.disarm(this.#worker));
      await this.#stage.usable();
      this.figures.operations += 1;
      this.figures.faults += fired;
      for (const outcome of outcomes)
        for (const what of misanswered(outcome, errno)) violated(what);
      for (const what of await trial.halfDone(outcomes)) violated(what);
      for (const what of await this.heldOpen()) violated(what);
    } catch (error) {
      violated(String(error));
      await this.hooked.disarm(this.#worker);
      await this.#stage.usable();
    }
    return Math.min(fired, 1);
  }

  /** Nothing on a volume stays open when all requests have been answered. */
  private async heldOpen(): Promise<string[]> {
    const root = this.#stage.server.volumePath();
    const held = (): string[] =>
      readdirSync(`/proc/${this.#worker}/fd`).flatMap((fd) => {
        try {
          const path = readlinkSync(`/proc/${this.#worker}/fd/${fd}`);
          const isHeld = path.startsWith(root) && !path.endsWith(SWEEP_LOCK);
          return isHeld && !this.#leaked.has(path) ? [path] : [];
        } catch {
          return [];
        }
      });
    const deadline = Date.now() + SETTLE_MS;
    let leaked = held();
    for (; leaked.length > 0 && Date.now() < deadline; leaked = held()) await sleep(10);
    for (const path of leaked) this.#leaked.add(path);
    return leaked.map((path) => `${path} stays open`);
  }
}

/** Whether an answer says what is the matter. An interrupted call is made again, so nobody hears of it. */
function misanswered({ status, bytes, broken, hung }: Outcome, errno: ErrnoName): string[] {
  if (hung) return ['no answer'];
  if (status >= 200 && status < 300) {
    return broken && errno === 'EINTR' ? ['an answer that breaks off'] : [];
  }
  const text = bytes.toString();
  if (errno === 'EINTR') return [`answered ${status}: ${text}`];
  if (status === 0) return ['the connection was cut without an answer'];
  if (status === 500) return [`answered 500: ${text}`];
  return text === '' || text.includes('"error_code"') || text.includes('"results"')
    ? []
    : [`answered ${status} without saying why: ${text}`];
}
