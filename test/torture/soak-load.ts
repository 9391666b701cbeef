import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { newScope, newVFolderId } from '../support/ids.js';
import type { Random } from './random.js';
import { jsonOf, type Outcome, type Wire } from './wire.js';

const LANES = 8;
const CONTENT = randomBytes(200_000);

/** Mixed requests to one server, a quarter of which the client breaks off somewhere. */
export class SoakLoad {
  requests = 0;
  aborts = 0;
  readonly unexpected: string[] = [];
  readonly #scope = newScope();
  #names = 0;

  constructor(
    private readonly wire: Wire,
    private readonly random: Random,
  ) {}

  async run(durationMs: number): Promise<void> {
    const deadline = Date.now() + durationMs;
    const lanes = Array.from({ length: LANES }, async () => {
      while (Date.now() < deadline) await this.round();
    });
    await Promise.all(lanes);
  }

  /** The life of a folder. What it leaves behind it deletes. */
  private async round(): Promise<void> {
    const folder = { volume: 'local', vfid: newVFolderId('scoped', this.#scope) };
    await this.manager('POST', '/folder/create', folder);
    const relpath = `file-${this.#names++}`;
    await this.upload(folder, relpath);
    await this.manager('POST', '/folder/file/list', { ...folder, relpath: '.' });
    await this.manager('POST', '/folder/file/mkdir', { ...folder, relpath: ['a', 'b/c'] });
    await this.download(folder, relpath, {});
    await this.download(folder, '.', { archive: 'true' });
    await this.manager('GET', '/folder/usage', folder);
    await this.manager('POST', '/folder/file/fetch', { ...folder, relpath });
    await this.manager('POST', '/folder/file/move', {
      ...folder,
      src_relpath: relpath,
      dst_relpath: 'a',
    });
    const clone = { volume: 'local', vfid: newVFolderId('scoped', this.#scope) };
    if (this.random.chance(0.2)) {
      const started = await this.manager('POST', '/folder/clone', {
        src_volume: folder.volume,
        src_vfid: folder.vfid,
        dst_volume: clone.volume,
        dst_vfid: clone.vfid,
      });
      // Part of them are cancelled.
      const job = String(jsonOf(started)['bgtask_id']);
      if (this.random.chance(0.5)) await this.wire.manager('DELETE', `/jobs/${job}`);
      await this.jobEnd(job);
      await this.manager('POST', '/folder/delete', clone);
    }
    await this.manager('POST', '/folder/delete', folder);
  }

  private async jobEnd(job: string): Promise<void> {
    for (;;) {
      const { state } = jsonOf(await this.wire.manager('GET', `/jobs/${job}`));
      if (state !== 'pending' && state !== 'running') return;
      await sleep(10);
    }
  }

  private async upload(folder: object, relpath: string): Promise<void> {
    const size = CONTENT.length;
    const issued = await this.manager('POST', '/folder/file/upload', { ...folder, relpath, size });
    const token = String(jsonOf(issued)['token']);
    for (let attempt = 0, offset = 0; offset < size && attempt < 20; attempt++) {
      const patch = await this.client('PATCH', '/upload', { token }, offset);
      if (patch.status === 204) return;
      const head = await this.client('HEAD', '/upload', { token });
      offset = Number(head.headers['upload-offset'] ?? offset);
    }
  }

  private async download(
    folder: object,
    relpath: string,
    query: Readonly<Record<string, string>>,
  ): Promise<void> {
    const issued = await this.manager('POST', '/folder/file/download', { ...folder, relpath });
    const token = String(jsonOf(issued)['token']);
    await this.client('GET', '/download', { token, ...query });
  }

  private async manager(method: string, path: string, parameters: object): Promise<Outcome> {
    const outcome = await this.wire.manager(method, path, parameters);
    this.judge(`${method} ${path}`, outcome, false);
    return outcome;
  }

  private async client(
    method: string,
    path: string,
    query: Readonly<Record<string, string>>,
    offset = 0,
  ): Promise<Outcome> {
    const breaksOff = method !== 'HEAD' && this.random.chance(0.25);
    const outcome = await this.wire.client(method, path, query, {
      headers: method === 'PATCH' ? { 'upload-offset': offset } : {},
      ...(method === 'PATCH' && { body: CONTENT.subarray(offset) }),
      started: (outgoing) => {
        if (!breaksOff) return;
        this.aborts++;
        setTimeout(() => outgoing.destroy(), this.random.between(0, 10));
      },
    });
    this.judge(`${method} ${path}`, outcome, breaksOff);
    return outcome;
  }

  private judge(what: string, { status, bytes, hung, broken }: Outcome, brokenOff: boolean): void {
    this.requests++;
    if (hung || status >= 500 || (broken && !brokenOff)) {
      this.unexpected.push(`${what}: ${hung ? 'hung' : status} ${bytes.toString().slice(0, 300)}`);
    }
  }
}
