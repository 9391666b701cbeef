import { join } from 'node:path';
import { freePorts } from './free-port.js';
import { newVFolderId, vfolderPath } from './ids.js';
import { ManagerClient } from './manager-client.js';
import { Nginx } from './nginx.js';
import { TestServer } from './server.js';
import type { ValkeyServer } from './valkey-server.js';

/** What a stubborn manager got in the end, and after how many requests. */
export interface StubbornAnswer {
  readonly status: number;
  readonly tried: number;
  readonly json: Record<string, unknown>;
}

/** What both serve as the volume `local`, each by a mount of its own. */
export interface SharedVolume {
  readonly backend: string;
  readonly mounts: { readonly one: string; readonly two: string };
}

/** Two proxies over one volume and one Valkey, as two hosts would be, behind an nginx that knows no stickiness. */
export class ProxyPair {
  private constructor(
    readonly one: TestServer,
    readonly two: TestServer,
    private readonly nginx: Nginx,
    /** Through the balancer. */
    readonly clientUrl: string,
    readonly manager: ManagerClient,
  ) {}

  /** `volume` is a directory of the first proxy's unless given; `config` may have more to say of Valkey. */
  static async start(
    valkey: ValkeyServer,
    config: { readonly valkey?: object; readonly [table: string]: unknown },
    volume?: SharedVolume,
  ): Promise<ProxyPair> {
    const one = await TestServer.prepare();
    const two = await TestServer.prepare();
    const own = one.volumePath();
    const { backend, mounts } = volume ?? { backend: 'vfs', mounts: { one: own, two: own } };
    for (const [node, server] of [
      ['one', one],
      ['two', two],
    ] as const) {
      server.configure({
        ...config,
        'storage-proxy': { 'node-id': node },
        volume: { local: { backend, path: mounts[node] } },
        valkey: { addr: valkey.address, ...config.valkey },
      });
    }
    await Promise.all([one.launch(), two.launch()]);
    const [clients = 0, managers = 0] = await freePorts(2);
    const upstream = (name: string, plane: 'client' | 'manager'): string =>
      `upstream ${name} { ${[one, two]
        .map(({ ports }) => `server 127.0.0.1:${ports[plane]} max_fails=0;`)
        .join(' ')} }`;
    const nginx = await Nginx.start(
      managers,
      () => `
      ${upstream('clients', 'client')}
      ${upstream('managers', 'manager')}
      client_max_body_size 0;
      proxy_request_buffering off;
      proxy_http_version 1.1;
      server { listen 127.0.0.1:${clients}; location / { proxy_pass http://clients; } }
      server { listen 127.0.0.1:${managers}; location / { proxy_pass http://managers; } }`,
    );
    const manager = new ManagerClient(`http://127.0.0.1:${managers}`, one.secret);
    return new ProxyPair(one, two, nginx, `http://127.0.0.1:${clients}`, manager);
  }

  get managerUrl(): string {
    return this.manager.origin;
  }
  get secret(): string {
    return this.one.secret;
  }

  async stop(): Promise<void> {
    this.manager.close();
    await this.nginx.stop();
    await this.two.stop();
    await this.one.stop();
  }

  /** Where a vfolder is on this host. */
  path(vfid: string, ...below: string[]): string {
    return join(this.one.volumePath(), vfolderPath(vfid), ...below);
  }

  /** As managers do: up to three times when the answer breaks. */
  async stubborn(path: string, body: object): Promise<StubbornAnswer> {
    for (let tried = 1; ; tried++) {
      const answer = await this.manager.call('POST', path, body).catch(() => undefined);
      if (answer && answer.status < 500) {
        return { json: answer.json, status: answer.status, tried };
      }
      if (tried === 3) throw new Error(`${path}: ${answer?.status} ${answer?.text}`);
    }
  }

  async folder(): Promise<string> {
    const vfid = newVFolderId('scoped');
    await this.stubborn('/folder/create', { volume: 'local', vfid, options: {} });
    return vfid;
  }

  async token(vfid: string, relpath: string, size?: number): Promise<string> {
    const kind = size === undefined ? 'download' : 'upload';
    const body = { volume: 'local', vfid, relpath, ...(size !== undefined && { size: `${size}` }) };
    return String((await this.stubborn(`/folder/file/${kind}`, body)).json['token']);
  }
}
