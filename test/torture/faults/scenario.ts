import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newScope, newVFolderId, scopePath, vfolderPath } from '../../support/ids.js';
import type { TestServer } from '../../support/server.js';
import { jsonOf, Wire, type Outcome } from '../wire.js';

const VOLUME = 'local';
const JOB_PATIENCE_MS = 30_000;

export interface Folder {
  readonly volume: string;
  readonly vfid: string;
}

/** What a system call that fails may do to one operation, and what not. */
export interface Scenario {
  readonly name: string;
  /** Jobs that fail are tried again after a second, so that with every change only some of the calls are made to fail. */
  readonly isJob?: true;
  /** Makes what the operation works on; nothing fails yet. Returns the operation and what must hold after it. */
  prepare(stage: Stage): Promise<{
    /** All answers, in order. Jobs are waited for, with whatever fails meanwhile. */
    run(): Promise<readonly Outcome[]>;
    /** Nothing fails any more: what is half-done, as sentences; also tries the operation again. */
    halfDone(outcomes: readonly Outcome[]): Promise<string[]>;
  }>;
}

/** A server and a scope of vfolders that scenarios work on. */
export class Stage {
  readonly wire: Wire;
  readonly #scope = newScope();
  #names = 0;

  constructor(readonly server: TestServer) {
    this.wire = new Wire(server);
  }

  /** A name that nothing has yet. */
  fresh(stem: string): string {
    return `${stem}-${++this.#names}`;
  }

  unusedFolder(): Folder {
    return { volume: VOLUME, vfid: newVFolderId('scoped', this.#scope) };
  }

  async folder(files: Readonly<Record<string, string>> = {}): Promise<Folder> {
    const folder = this.unusedFolder();
    await this.expect(204, await this.wire.manager('POST', '/folder/create', folder));
    for (const [path, content] of Object.entries(files)) this.write(folder, path, content);
    return folder;
  }

  file(path: string, parameters: object): Promise<Outcome> {
    return this.wire.manager('POST', `/folder/file/${path}`, parameters);
  }

  async token(folder: Folder, relpath: string, size: number): Promise<string> {
    const outcome = await this.expect(200, await this.file('upload', { ...folder, relpath, size }));
    return String(jsonOf(outcome)['token']);
  }

  patch(token: string, offset: number, body: Buffer): Promise<Outcome> {
    const options = { headers: { 'upload-offset': offset }, body };
    return this.wire.client('PATCH', '/upload', { token }, options);
  }

  head(token: string): Promise<Outcome> {
    return this.wire.client('HEAD', '/upload', { token });
  }

  /** The job of an answer once it has ended, or `undefined` when the answer has none. */
  async jobEnd(outcome: Outcome): Promise<string | undefined> {
    const id = jsonOf(outcome)['bgtask_id'];
    if (typeof id !== 'string') return undefined;
    const deadline = Date.now() + JOB_PATIENCE_MS;
    for (;;) {
      const state = jsonOf(await this.wire.manager('GET', `/jobs/${id}`))['state'];
      if (['done', 'failed', 'cancelled'].includes(String(state))) return String(state);
      if (Date.now() > deadline) throw new Error(`job ${id} stays ${String(state)}`);
      await sleep(10);
    }
  }

  path(folder: Folder, relpath = ''): string {
    return join(this.server.volumePath(VOLUME), vfolderPath(folder.vfid), relpath);
  }

  write(folder: Folder, relpath: string, content: string): void {
    const path = this.path(folder, relpath);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  exists(folder: Folder, relpath = ''): boolean {
    return existsSync(this.path(folder, relpath));
  }

  read(folder: Folder, relpath: string): string | undefined {
    const path = this.path(folder, relpath);
    return existsSync(path) && statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined;
  }

  /** Files with their contents, by path; `.upload` left out. */
  tree(folder: Folder): Record<string, string> {
    if (!this.exists(folder)) return {};
    const found = readdirSync(this.path(folder), { recursive: true, encoding: 'utf8' });
    const files = found
      .filter((path) => !path.startsWith('.upload'))
      .map((path) => [path, this.read(folder, path)] as const)
      .filter((entry): entry is readonly [string, string] => entry[1] !== undefined);
    return Object.fromEntries(files.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** What is in a directory beside the vfolders of the scope, such as `.trash`. */
  besides(directory: string): string[] {
    return names(join(this.server.volumePath(VOLUME), scopePath(this.#scope), directory));
  }

  staged(folder: Folder): string[] {
    return names(this.path(folder, '.upload'));
  }

  /** Waits for the sweeps of this scope to be over. */
  async swept(): Promise<string[]> {
    const left = (): string[] => [...this.besides('.trash'), ...this.besides('.staging')];
    const deadline = Date.now() + JOB_PATIENCE_MS;
    while (left().length > 0 && Date.now() < deadline) await sleep(20);
    return left().map((name) => `${name} is left of a job`);
  }

  /** Waits until the volume serves: after an error of its mount path it is opened anew. */
  async usable(): Promise<void> {
    const deadline = Date.now() + JOB_PATIENCE_MS;
    while (!(await this.wire.manager('GET', '/volumes')).bytes.includes(`"${VOLUME}"`)) {
      if (Date.now() > deadline) throw new Error('the volume does not recover');
      await sleep(10);
    }
  }

  /** Fails unless preparing went well. */
  async expect(status: number, outcome: Outcome): Promise<Outcome> {
    if (outcome.status === status) return outcome;
    throw new Error(`${outcome.status} instead of ${status}: ${outcome.bytes.toString()}`);
  }

  close(): void {
    this.wire.close();
  }
}

function names(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
