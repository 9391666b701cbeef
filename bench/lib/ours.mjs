import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createSigner } from 'fast-jwt';
import { stringify } from 'smol-toml';
import { freePorts, ServerProcess } from './processes.mjs';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'main.js');
const SECRET = 'manager-secret';
export const TOKEN_KEY = 'token-key';
const AUTH_HEADER = 'X-BackendAI-Storage-Auth-Token';

/** The built product with one volume, `main`, as a user would run it: defaults but for names and ports. */
export class StorageProxy {
  #tokens = 0;
  #sign = createSigner({ key: TOKEN_KEY, noTimestamp: true });

  static async start(directory, { workers = 1, volume, env, tls, settings = {} } = {}) {
    const proxy = new StorageProxy();
    const [client, manager, internal] = await freePorts(3);
    Object.assign(proxy, { client, manager, internal });
    proxy.volume = volume ?? join(directory, 'volume');
    mkdirSync(proxy.volume, { recursive: true });
    writeFileSync(join(proxy.volume, 'version.txt'), '3\n');
    const ssl = tls
      ? { 'ssl-enabled': true, 'ssl-cert': tls.cert, 'ssl-privkey': tls.key }
      : { 'ssl-enabled': false };
    const config = {
      'storage-proxy': {
        'node-id': 'bench',
        'num-proc': workers,
        secret: TOKEN_KEY,
        'session-expire': '1d',
        user: process.getuid(),
        group: process.getgid(),
        'scandir-limit': 10_000_000,
      },
      api: {
        client: { 'service-addr': `127.0.0.1:${client}`, ...ssl },
        manager: {
          'service-addr': `127.0.0.1:${manager}`,
          'internal-addr': `127.0.0.1:${internal}`,
          'ssl-enabled': false,
          secret: SECRET,
        },
      },
      volume: { main: { backend: 'vfs', path: proxy.volume } },
      ...settings,
    };
    const file = join(directory, `storage-proxy-${client}.toml`);
    writeFileSync(file, stringify(config), { mode: 0o600 });
    const logFile = join(directory, `storage-proxy-${client}.log`);
    proxy.process = new ServerProcess(process.execPath, [MAIN, 'serve', '-f', file], {
      env,
      logFile,
    });
    await proxy.process.ready(client, () => isReady(internal));
    return proxy;
  }

  /** Headers of a request of the manager. */
  get authorization() {
    return { [AUTH_HEADER]: SECRET, 'Content-Type': 'application/json' };
  }

  /** On a connection of its own: what making a tree takes, an idle one does not outlast. */
  async call(method, path, body) {
    const { statusCode, content } = await exchange(
      { port: this.manager, method, path, headers: this.authorization },
      body === undefined ? '' : JSON.stringify(body),
    );
    if (statusCode >= 400) throw new Error(`${method} ${path}: ${statusCode} ${content}`);
    return content === '' ? undefined : JSON.parse(content);
  }

  /** The same for GET, whose parameters go into the query. */
  get(path, parameters) {
    return this.call('GET', `${path}?${new URLSearchParams(parameters)}`);
  }

  /** A new vfolder: how requests name it, and its directory. */
  async createFolder(scope = randomUUID()) {
    const folder = randomUUID().replaceAll('-', '');
    const vfid = `user:${scope}/${folder}`;
    await this.call('POST', '/folder/create', { volume: 'main', vfid });
    const parts = [folder.slice(0, 2), folder.slice(2, 4), folder.slice(4)];
    return {
      ref: { volume: 'main', vfid },
      path: join(this.volume, scope.replaceAll('-', ''), ...parts),
    };
  }

  /** The path of a download on the client plane, with a token of its own: one may not have many transfers at a time. */
  downloadPath(folder, relpath, query = '') {
    const exp = Math.floor(Date.now() / 1000) + 80_000 + (this.#tokens++ % 5_000);
    const token = this.#sign({ op: 'download', ...folder.ref, relpath, exp });
    return `/download?token=${token}${query}`;
  }

  async uploadPath(folder, relpath, size) {
    const { token } = await this.call('POST', '/folder/file/upload', {
      ...folder.ref,
      relpath,
      size,
    });
    return `/upload?token=${token}`;
  }

  async stop() {
    await this.process.stop();
  }
}

async function exchange(options, body) {
  const request = http.request({ host: '127.0.0.1', agent: false, ...options });
  request.end(body);
  const [answer] = await once(request, 'response');
  return { statusCode: answer.statusCode, content: await text(answer) };
}

async function isReady(port) {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
  await answer?.text();
  return answer?.status === 200;
}
