import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newScope, newVFolderId, scopePath, vfolderPath } from '../../support/ids.js';
import { Random } from '../random.js';
import { jsonOf, type Wire } from '../wire.js';
import { damaged, sha256, type KnownFile } from './ledger.js';
import { ATTEMPT_PAUSE_MS, isPassing, PATIENCE_MS, untilAnswered } from './until-answered.js';

const UPLOADERS = 6;
const LARGEST = 1_500_000;
const TREE_FILES = 60;

type Folder = { readonly volume: string; readonly vfid: string };

/** The volume that is served, by its name and where this process has it. */
export interface ServedVolume {
  readonly name: string;
  readonly path: string;
}

/** An event that a manager may rely on, and how often it may come: as often as requests asked for what it tells. */
export interface PromisedEvent {
  readonly name: string;
  readonly vfid: string;
  readonly most: number;
}

/** Uploads, moves, clones and deletions that never stop asking, whatever happens to the server. */
export class CrashLoad {
  readonly violations: string[] = [];
  readonly figures = { uploads: 0, resumed: 0, moves: 0, clones: 0, deletions: 0 };
  readonly folders: Folder[] = [];
  readonly promised: PromisedEvent[] = [];
  readonly #scope = newScope();
  readonly #random = new Random('crash load');
  readonly #uploaded: KnownFile[] = [];
  readonly #jobs: string[] = [];
  #names = 0;
  #goesOn: () => boolean = () => false;

  constructor(
    private readonly volume: ServedVolume,
    private readonly wire: Wire,
  ) {}

  /** Runs until `goesOn` says no, and every operation that was begun has come to its end. */
  async run(goesOn: () => boolean): Promise<void> {
    this.#goesOn = goesOn;
    const folder = await this.folder();
    const repeat = async (work: () => Promise<void>): Promise<void> => {
      while (goesOn()) await work();
    };
    await Promise.all([
      ...Array.from({ length: UPLOADERS }, () => repeat(() => this.upload(folder))),
      this.moveAround(goesOn),
      repeat(() => this.cloneTree()),
      repeat(() => this.deleteTree()),
    ]);
    for (const file of this.#uploaded) this.violated(...damaged(file));
    for (const job of this.#jobs) await this.done(job);
    await this.swept();
  }

  pathOf({ vfid }: Folder, ...names: string[]): string {
    return join(this.volume.path, vfolderPath(vfid), ...names);
  }

  /** The whole life of one upload: the answer to every question must be one that all answers before allow. */
  private async upload(folder: Folder): Promise<void> {
    const relpath = `uploads/${this.#names++}`;
    const content = randomBytes(this.#random.between(1, LARGEST));
    const path = this.pathOf(folder, relpath);
    const token = await this.token(folder, relpath, content.length);
    let acknowledged = 0;
    let sent = 0;
    for (let asked = 0; acknowledged < content.length; asked++) {
      this.assertNotPartial(path, content.length);
      const offset = await this.offset(token);
      if (offset < acknowledged || offset > sent) {
        this.violated(
          `${relpath}: HEAD tells ${offset}; ${acknowledged} acknowledged, ${sent} sent`,
        );
        return;
      }
      if (asked > 0 && offset > 0) this.figures.resumed++;
      acknowledged = offset;
      if (offset === content.length) break;
      const end = this.#random.chance(0.4)
        ? content.length
        : this.#random.between(offset + 1, content.length);
      sent = Math.max(sent, end);
      const patch = await this.wire.client(
        'PATCH',
        '/upload',
        { token },
        { headers: { 'upload-offset': offset }, body: content.subarray(offset, end) },
      );
      if (patch.status === 204) acknowledged = Number(patch.headers['upload-offset']);
      // It has just been told this offset, and nobody else writes.
      if (patch.status === 409) this.violated(`${relpath}: a false conflict at ${offset}`);
    }
    await this.isListed(folder, relpath);
    const file = { path, sha256: sha256(content) };
    this.violated(...damaged(file));
    this.#uploaded.push(file);
    this.figures.uploads++;
  }

  /** By whoever answers: what is whole is seen by all. */
  private async isListed(folder: Folder, relpath: string): Promise<void> {
    const directory = { ...folder, relpath: dirname(relpath) };
    const answer = await untilAnswered(200, () =>
      this.wire.manager('POST', '/folder/file/list', directory),
    );
    const items = jsonOf(answer)['items'] as { name: string }[];
    if (!items.some(({ name }) => name === basename(relpath))) {
      this.violated(`${relpath} is whole and not listed`);
    }
  }

  private async token(folder: Folder, relpath: string, size: number): Promise<string> {
    const issued = await untilAnswered(200, () =>
      this.wire.manager('POST', '/folder/file/upload', { ...folder, relpath, size }),
    );
    return String(jsonOf(issued)['token']);
  }

  private async offset(token: string): Promise<number> {
    const head = await untilAnswered(200, () => this.wire.client('HEAD', '/upload', { token }));
    return Number(head.headers['upload-offset']);
  }

  private assertNotPartial(path: string, size: number): void {
    if (!existsSync(path)) return;
    const found = readFileSync(path).length;
    if (found !== size) this.violated(`${path} has ${found} of ${size} bytes under its final name`);
  }

  /** A file is always under exactly one of the two names. */
  private async moveAround(goesOn: () => boolean): Promise<void> {
    const folder = await this.folder();
    const content = 'moved about';
    const names = ['a/file', 'b/file'];
    for (const directory of ['a', 'b']) mkdirSync(this.pathOf(folder, directory));
    writeFileSync(this.pathOf(folder, names[0]!), content);
    while (goesOn()) {
      const [from, to] = this.exists(folder, names[0]!) ? names : names.toReversed();
      const move = { ...folder, src_relpath: from, dst_relpath: to };
      const { status } = await this.wire.manager('POST', '/folder/file/move', move);
      if (isPassing(status)) await this.untilServed();
      const found = await this.placesOf(folder, names);
      if (found.length !== 1 || (status === 204 && found[0] !== to)) {
        this.violated(`moved from ${from} to ${to} (${status}): it is at ${found.join(' and ')}`);
        return;
      }
      if (readFileSync(this.pathOf(folder, found[0]!), 'utf8') !== content) {
        this.violated(`the moved file is damaged`);
      }
      this.figures.moves++;
    }
  }

  /** Looked for twice: what a dead server had asked of the kernel may be done in between. */
  private async placesOf(folder: Folder, names: readonly string[]): Promise<string[]> {
    const look = (): string[] => names.filter((name) => this.exists(folder, name));
    const found = look();
    if (found.length === 1) return found;
    await sleep(ATTEMPT_PAUSE_MS);
    return look();
  }

  private async cloneTree(): Promise<void> {
    const source = await this.tree();
    const clone = this.unused();
    const outcome = await this.wire.manager('POST', '/folder/clone', {
      src_volume: source.volume,
      src_vfid: source.vfid,
      dst_volume: clone.volume,
      dst_vfid: clone.vfid,
    });
    if (outcome.status === 200) {
      await this.appears(clone);
      await this.done(String(jsonOf(outcome)['bgtask_id']));
      this.promised.push({ name: 'vfolder_clone_success', vfid: clone.vfid, most: 1 });
    }
    this.figures.clones++;
    await this.gone(source);
  }

  /** All at once: nobody sees a part of it. */
  private async appears(clone: Folder): Promise<void> {
    const isWhole = (): boolean => count(this.pathOf(clone)) === TREE_FILES;
    const isLate = this.patience();
    while (!isWhole()) {
      const found = count(this.pathOf(clone));
      // Looked at twice: it may have appeared in between.
      if (found !== 0 && !isWhole()) this.violated(`a clone appears with ${found} files`);
      if (isLate()) return this.violated('a clone never comes');
      await sleep(ATTEMPT_PAUSE_MS);
    }
  }

  private async deleteTree(): Promise<void> {
    await this.gone(await this.tree());
    this.figures.deletions++;
  }

  /** Whole until it is gone, and gone for ever once that was acknowledged. */
  private async gone(folder: Folder): Promise<void> {
    let most = 0;
    const answer = await untilAnswered(202, async () => {
      most++;
      const found = count(this.pathOf(folder));
      if (found !== 0 && found !== TREE_FILES && count(this.pathOf(folder)) !== 0) {
        this.violated(`a folder that is being deleted has ${found} files`);
      }
      return this.wire.manager('POST', '/folder/delete', folder);
    });
    if (existsSync(this.pathOf(folder))) this.violated('a deleted folder is there');
    this.#jobs.push(String(jsonOf(answer)['bgtask_id']));
    this.promised.push({ name: 'vfolder_deletion_success', vfid: folder.vfid, most });
  }

  /** Whoever is asked knows the job, and it succeeds. */
  private async done(job: string): Promise<void> {
    const isLate = this.patience();
    for (;;) {
      const answer = await untilAnswered(200, () => this.wire.manager('GET', `/jobs/${job}`));
      const state = String(jsonOf(answer)['state']);
      if (state === 'done') return;
      const isUnderWay = state === 'pending' || state === 'running';
      if (!isUnderWay || isLate()) return this.violated(`job ${job} is ${state}`);
      await sleep(ATTEMPT_PAUSE_MS);
    }
  }

  /**
   * Whether it is over. On a busy machine, where starting takes longer than the time until the next kill, a server that
   * is killed again and again gets nowhere: the time counts from when that has an end.
   */
  private patience(): () => boolean {
    let deadline = Date.now() + PATIENCE_MS;
    return () => {
      if (this.#goesOn()) deadline = Date.now() + PATIENCE_MS;
      return Date.now() > deadline;
    };
  }

  /** Nothing is left of jobs when they have had their time. */
  private async swept(): Promise<void> {
    const left = (): string[] =>
      ['.trash', '.staging'].flatMap((name) => {
        const path = join(this.volume.path, scopePath(this.#scope), name);
        return existsSync(path) ? readdirSync(path).map((entry) => `${name}/${entry}`) : [];
      });
    const deadline = Date.now() + PATIENCE_MS;
    while (left().length > 0 && Date.now() < deadline) await sleep(ATTEMPT_PAUSE_MS);
    this.violated(...left().map((path) => `${path} is left`));
  }

  private unused(): Folder {
    return { volume: this.volume.name, vfid: newVFolderId('scoped', this.#scope) };
  }

  private async folder(): Promise<Folder> {
    const folder = this.unused();
    await untilAnswered(204, () => this.wire.manager('POST', '/folder/create', folder));
    this.folders.push(folder);
    return folder;
  }

  private async tree(): Promise<Folder> {
    const folder = await this.folder();
    for (let index = 0; index < TREE_FILES; index++) {
      const directory = this.pathOf(folder, `d${index % 7}`);
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, `f${index}`), `content ${index}`);
    }
    return folder;
  }

  private exists(folder: Folder, name: string): boolean {
    return existsSync(this.pathOf(folder, name));
  }

  private async untilServed(): Promise<void> {
    await untilAnswered(200, () => this.wire.manager('GET', '/volumes'));
  }

  private violated(...what: string[]): void {
    this.violations.push(...what);
  }
}

function count(directory: string): number {
  if (!existsSync(directory)) return 0;
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    ).length;
  } catch {
    // It went while it was being read.
    return 0;
  }
}
