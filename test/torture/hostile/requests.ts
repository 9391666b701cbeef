import type { Random } from '../random.js';
import { jsonOf, type Outcome, type Wire } from '../wire.js';
import { HostilePaths } from './paths.js';

/** A vfolder as requests name it. */
export interface Target {
  readonly volume: string;
  readonly vfid: string;
}

/** The outcomes of one operation, and how many hostile paths it made the product resolve. */
export interface Attempt {
  readonly paths: number;
  readonly outcomes: readonly Outcome[];
}

type Operation = (target: Target) => Promise<Attempt>;

const MKDIR_PATHS = 48;
const DELETE_PATHS = 6;
const ARCHIVE_PATHS = 16;
const UPLOAD = Buffer.from('an upload, whole');

/** Every operation of both planes on entries of a vfolder, with hostile paths. */
export class HostileRequests {
  readonly #paths: HostilePaths;
  readonly operations: Readonly<Record<string, Operation>>;

  constructor(
    private readonly wire: Wire,
    private readonly random: Random,
  ) {
    const paths = new HostilePaths(random);
    this.#paths = paths;
    this.operations = {
      list: this.one('/folder/file/list', () => ({ relpath: paths.directory() })),
      mkdir: this.one(
        '/folder/file/mkdir',
        () => ({
          relpath: paths.several(MKDIR_PATHS, () => paths.fresh()),
          parents: random.chance(0.5),
          exist_ok: random.chance(0.5),
        }),
        MKDIR_PATHS,
      ),
      move: this.one(
        '/folder/file/move',
        () => ({ src_relpath: paths.any(), dst_relpath: paths.any() }),
        2,
      ),
      rename: this.one('/folder/file/rename', () => ({
        relpath: paths.any(),
        new_name: random.pick(['f0', 'f1', 'b', 'n1', 'n2']),
      })),
      delete: this.one(
        '/folder/file/delete',
        () => ({
          relpaths: paths.several(random.between(1, DELETE_PATHS), () => paths.fresh()),
          recursive: random.chance(0.9),
        }),
        DELETE_PATHS,
      ),
      'delete of a tree': this.one('/folder/file/delete', () => ({
        relpaths: [paths.any()],
        recursive: true,
      })),
      'delete job': this.one(
        '/folder/file/delete-async',
        () => ({ relpaths: paths.several(3, () => paths.any()), recursive: true }),
        3,
      ),
      fetch: this.one('/folder/file/fetch', () => ({ relpath: paths.file() })),
      mount: this.one('/folder/mount', () => ({ subpath: paths.any() }), 1, 'GET'),
      usage: this.one('/folder/usage', () => ({}), 1, 'GET'),
      'used bytes': this.one('/folder/used-bytes', () => ({}), 1, 'GET'),
      download: (target) => this.download(target, paths.file(), {}),
      zip: (target) => this.download(target, paths.directory(), { archive: 'true' }),
      'archive of several': (target) => this.archive(target),
      upload: (target) => this.upload(target),
    };
  }

  private one(
    path: string,
    parameters: () => object,
    paths = 1,
    method = 'POST',
  ): (target: Target) => Promise<Attempt> {
    return async (target) => {
      const outcome = await this.wire.manager(method, path, { ...target, ...parameters() });
      return { paths, outcomes: [outcome] };
    };
  }

  private async download(
    target: Target,
    relpath: string,
    query: Readonly<Record<string, string>>,
  ): Promise<Attempt> {
    const issued = await this.wire.manager('POST', '/folder/file/download', { ...target, relpath });
    const token = jsonOf(issued)['token'];
    if (typeof token !== 'string') return { paths: 1, outcomes: [issued] };
    const ranges = ['bytes=0-99', 'bytes=-50', 'bytes=0-9,100-200000', 'bytes=1000-'];
    const got = await this.wire.client(
      'GET',
      '/download',
      { token, ...query },
      { headers: this.random.chance(0.4) ? { range: this.random.pick(ranges) } : {} },
    );
    return { paths: 2, outcomes: [issued, got] };
  }

  private async archive({ volume, vfid }: Target): Promise<Attempt> {
    const files = this.#paths.several(ARCHIVE_PATHS, () => this.#paths.any());
    const parameters = { volume, virtual_folder_id: vfid, files };
    const issued = await this.wire.manager(
      'POST',
      '/folder/file/archive-download-token',
      parameters,
    );
    const token = jsonOf(issued)['token'];
    if (typeof token !== 'string') return { paths: ARCHIVE_PATHS, outcomes: [issued] };
    const got = await this.wire.client('GET', '/download-archive', { token });
    return { paths: ARCHIVE_PATHS, outcomes: [issued, got] };
  }

  /** The path is resolved when the token is made, and again when the last byte has come: to the same or elsewhere. */
  private async upload(target: Target): Promise<Attempt> {
    const size = this.random.chance(0.1) ? 0 : UPLOAD.length;
    const relpath = this.random.chance(0.3) ? this.#paths.fresh() : this.#paths.file();
    const issued = await this.wire.manager('POST', '/folder/file/upload', {
      ...target,
      relpath,
      size,
    });
    const token = jsonOf(issued)['token'];
    if (typeof token !== 'string') return { paths: 1, outcomes: [issued] };
    const query = {
      token,
      ...(this.random.chance(0.5) && { dst_dir: this.#paths.directory() }),
    };
    const half = this.random.between(0, size);
    const parts: Outcome[] = [issued];
    for (const [from, to] of [
      [0, half],
      [half, size],
    ] as const) {
      const options = { headers: { 'upload-offset': from }, body: UPLOAD.subarray(from, to) };
      parts.push(await this.wire.client('PATCH', '/upload', query, options));
    }
    parts.push(await this.wire.client('HEAD', '/upload', query));
    return { paths: 4, outcomes: parts };
  }
}
