import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { send, type Answer } from './http.js';
import { newVFolderId, vfolderPath, type Dialect } from './ids.js';
import { ManagerClient } from './manager-client.js';
import { TestServer } from './server.js';
import { readToken, signToken, type Claims } from './tokens.js';

/** A vfolder on the volume `local`. */
export interface TestFolder {
  readonly vfid: string;
  /** On this host. */
  readonly path: string;
  /** What requests about this folder have in common. */
  readonly ref: { readonly volume: string; readonly vfid: string };
}

export interface ProxyOptions {
  /** Names of volumes instead of `local` and `other`. */
  readonly volumes?: readonly string[];
  /** Tables of further volumes, by name. */
  readonly furtherVolumes?: Readonly<Record<string, object>>;
  /** Further tables of the configuration. */
  readonly config?: Readonly<Record<string, object>>;
  /** Called with the way to find the directory of a volume, before the process starts. */
  readonly prepare?: (mount: (volume: string) => string) => void;
}

/**
 * A running proxy with the volumes `local` and `other`, and `missing`, whose directory does not exist; with
 * what tests of the APIs need around it. `settings` are those of `[storage-proxy]`.
 */
export class Proxy {
  readonly manager: ManagerClient;

  private constructor(private readonly server: TestServer) {
    this.manager = new ManagerClient(server.managerUrl, server.secret);
  }

  static async start(
    settings: Readonly<Record<string, unknown>> = {},
    { volumes = ['local', 'other'], furtherVolumes = {}, config = {}, prepare }: ProxyOptions = {},
  ): Promise<Proxy> {
    const server = await TestServer.prepare({ volumes });
    const missing = { backend: 'vfs', path: server.volumePath('missing') };
    server.configure({
      'storage-proxy': settings,
      volume: { missing, ...furtherVolumes },
      ...config,
    });
    prepare?.((volume) => server.volumePath(volume));
    await server.launch();
    return new Proxy(server);
  }

  /** Of the primary. */
  get pid(): number {
    return this.server.pid;
  }

  get secret(): string {
    return this.server.secret;
  }

  get jwtKey(): string {
    return this.server.jwtKey;
  }

  get clientOrigin(): string {
    return this.server.clientUrl;
  }

  get internalOrigin(): string {
    return this.server.internalUrl;
  }

  /** Everything the process has said so far. */
  get output(): string {
    return this.server.output;
  }

  /** The directory of a volume. */
  mount(volume = 'local'): string {
    return this.server.volumePath(volume);
  }

  /** A file beside the volumes, which nothing served may reach. */
  outside(name: string, content = 'secret of the host'): string {
    const path = join(this.server.directory, 'outside', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, 0o666);
    return path;
  }

  async createFolder(
    dialect: Dialect,
    vfid = newVFolderId(dialect),
    volume = 'local',
  ): Promise<TestFolder> {
    await this.manager.expecting(204, 'POST', '/folder/create', { volume, vfid });
    return { vfid, path: join(this.mount(volume), vfolderPath(vfid)), ref: { volume, vfid } };
  }

  /** The token of an upload that the manager plane has opened. */
  async uploadToken(folder: TestFolder, relpath: string, size: number): Promise<string> {
    const body = { ...folder.ref, relpath, size };
    const { json } = await this.manager.expecting(200, 'POST', '/folder/file/upload', body);
    return String(json['token']);
  }

  async downloadToken(folder: TestFolder, relpath: string): Promise<string> {
    const body = { ...folder.ref, relpath };
    const { json } = await this.manager.expecting(200, 'POST', '/folder/file/download', body);
    return String(json['token']);
  }

  /** A request to the client plane. */
  client(
    method: string,
    path: string,
    query: Readonly<Record<string, string>>,
    headers: Record<string, string | number> = {},
    body?: Buffer,
  ): Promise<Answer> {
    const url = `${this.clientOrigin}${path}?${new URLSearchParams(query).toString()}`;
    return send(method, url, headers, body);
  }

  patch(token: string, offset: number, body: Buffer, destination?: string): Promise<Answer> {
    const query = { token, ...(destination !== undefined && { dst_dir: destination }) };
    return this.client('PATCH', '/upload', query, { 'upload-offset': offset }, body);
  }

  sign(claims: Claims, header?: Claims): string {
    return signToken(claims, this.server.jwtKey, header);
  }

  read(token: unknown): ReturnType<typeof readToken> {
    return readToken(token, this.server.jwtKey);
  }

  async stop(): Promise<void> {
    this.manager.close();
    await this.server.stop();
  }
}
