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

/** Two proxies over one directory and one Valkey, as two hosts would be, behind an nginx that knows no stickiness. */
export class ProxyPair {
  private constructor(
    readonly one: TestServer,
    readonly two: TestServer,
    private readonly nginx: Nginx,
    /** Through the balancer. */
    readonly clientUrl: string,
    readonly manager: ManagerClient,
  ) {}

  static async start(valkey: ValkeyServer, config: object): Promise<ProxyPair> {
    const one = await TestServer.prepare();
    const two = await TestServer.prepare();
    const base = { ...config, volume: { local: { path: one.volumePath() } } };
    for (const [node, server] of Object.entries({ one, two })) {
      const own = { 'storage-proxy': { 'node-id': node }, valkey: { addr: valkey.address } };
      server.configure({ ...base, ...own });
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
