import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'iovalkey';
import { Daemon } from './daemon.js';
import { freePorts } from './free-port.js';
import { isInstalled } from './programs.js';
import type { ValkeyServer } from './valkey-server.js';

/** What `describeWith` has to look for. */
export const SENTINEL = isInstalled('valkey-sentinel') ? 'valkey-sentinel' : 'redis-sentinel';

/** A sentinel that watches a primary under the name `site`, and replaces it after half a second. */
export class Sentinel {
  readonly #daemon: Daemon;

  private constructor(
    readonly port: number,
    private readonly primary: ValkeyServer,
  ) {
    this.#daemon = new Daemon(
      SENTINEL,
      (directory) => {
        const file = join(directory, 'sentinel.conf');
        writeFileSync(file, this.config());
        return [file];
      },
      async () => (await this.ask((client) => client.ping())) === 'PONG',
    );
  }

  static async start(primary: ValkeyServer): Promise<Sentinel> {
    const [port = 0] = await freePorts(1);
    const sentinel = new Sentinel(port, primary);
    try {
      await sentinel.#daemon.start();
    } catch (error) {
      await sentinel.remove();
      throw error;
    }
    return sentinel;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** How many replicas it knows that it could choose. */
  async replicas(): Promise<number> {
    const found = await this.ask((client) => client.call('SENTINEL', 'replicas', 'site'));
    return (found as string[][]).filter(
      (fields) => fields.includes('ok') || fields.includes('slave'),
    ).length;
  }

  remove(): Promise<void> {
    return this.#daemon.remove();
  }

  private async ask<T>(question: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(this.port, '127.0.0.1', {
      retryStrategy: () => null,
      enableReadyCheck: false,
    });
    client.on('error', () => undefined);
    try {
      return await question(client);
    } finally {
      client.disconnect();
    }
  }

  private config(): string {
    return [
      `port ${this.port}`,
      'bind 127.0.0.1',
      `sentinel monitor site 127.0.0.1 ${this.primary.port} 1`,
      'sentinel down-after-milliseconds site 500',
      'sentinel failover-timeout site 3000',
      '',
    ].join('\n');
  }
}
