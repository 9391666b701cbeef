import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Daemon } from './daemon.js';
import { freePorts } from './free-port.js';

/** An etcd of the test's own on loopback ports, spoken to with its own `etcdctl`. */
export class EtcdServer {
  readonly #daemon: Daemon;
  #user: string | undefined;

  private constructor(
    readonly port: number,
    peerPort: number,
  ) {
    const url = `http://127.0.0.1:${port}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    this.#daemon = new Daemon(
      'etcd',
      (directory) => [
        '--name=test',
        '--log-level=error',
        `--data-dir=${join(directory, 'data')}`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=test=${peer}`,
      ],
      async () => (await fetch(`${url}/health`)).ok,
    );
  }

  static async start(): Promise<EtcdServer> {
    const server = await EtcdServer.prepare();
    try {
      await server.start();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /** Only takes its ports. */
  static async prepare(): Promise<EtcdServer> {
    const [port = 0, peerPort = 0] = await freePorts(2);
    return new EtcdServer(port, peerPort);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  start(): Promise<void> {
    return this.#daemon.start();
  }

  kill(): Promise<void> {
    return this.#daemon.kill();
  }

  remove(): Promise<void> {
    return this.#daemon.remove();
  }

  put(key: string, value: string): void {
    this.ctl('put', key, value);
  }

  /** All keys and values below a prefix. */
  below(prefix: string): Record<string, string> {
    const lines = this.ctl('get', '--prefix', prefix).split('\n');
    const pairs: Record<string, string> = {};
    for (let at = 0; at + 1 < lines.length; at += 2) pairs[lines[at]!] = lines[at + 1]!;
    return pairs;
  }

  /** From now on only `name` with `password` gets in; as root it may do everything. */
  protect(name: string, password: string): void {
    for (const user of new Set(['root', name])) {
      this.ctl('user', 'add', `${user}:${password}`);
      this.ctl('user', 'grant-role', user, 'root');
    }
    this.ctl('auth', 'enable');
    this.#user = `${name}:${password}`;
  }

  private ctl(...args: string[]): string {
    const access = this.#user === undefined ? [] : ['--user', this.#user];
    return execFileSync('etcdctl', ['--endpoints', this.address, ...access, ...args], {
      encoding: 'utf8',
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}
