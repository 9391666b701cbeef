import { Redis } from 'iovalkey';
import { Daemon } from './daemon.js';
import { freePorts } from './free-port.js';
import { isInstalled } from './programs.js';

/** Valkey where there is one, else the Redis that it was made from. */
const PROGRAM = isInstalled('valkey-server') ? 'valkey-server' : 'redis-server';

/** `describe`, or a skipped one that says what is missing; in CI a missing server is a failure. */
export function describeWith(...programs: readonly string[]): jest.Describe {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0 || process.env['CI'] === 'true') return describe;
  process.stderr.write(`SKIPPED: tests that need ${missing.join(', ')}, not installed\n`);
  return describe.skip;
}

/** What `describeWith` has to look for. */
export const VALKEY = PROGRAM;

export interface ValkeyServerOptions {
  readonly password?: string;
  /** Another server whose replica this one is. */
  readonly replicaOf?: ValkeyServer;
  /** Whether it has its data again after a restart. */
  readonly isDurable?: boolean;
}

/** A Valkey of the test's own on a loopback port. */
export class ValkeyServer {
  readonly #daemon: Daemon;
  readonly #clients: Redis[] = [];

  private constructor(
    readonly port: number,
    private readonly options: ValkeyServerOptions,
  ) {
    this.#daemon = new Daemon(
      PROGRAM,
      () => this.args(),
      async () => (await this.client(0).ping()) === 'PONG',
    );
  }

  static async start(options: ValkeyServerOptions = {}): Promise<ValkeyServer> {
    const server = await ValkeyServer.prepare(options);
    try {
      await server.start();
    } catch (error) {
      // Nobody else can: its clients would go on trying, and keep Jest from exiting.
      await server.remove();
      throw error;
    }
    return server;
  }

  /** Only takes a port. */
  static async prepare(options: ValkeyServerOptions = {}): Promise<ValkeyServer> {
    const [port = 0] = await freePorts(1);
    return new ValkeyServer(port, options);
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

  signal(signal: NodeJS.Signals): void {
    this.#daemon.signal(signal);
  }

  /** A client of one logical database, which lasts as long as the server is not removed. */
  client(database: number): Redis {
    const known = this.#clients.find(({ options }) => options.db === database);
    if (known) return known;
    const { password } = this.options;
    const client = new Redis(this.port, '127.0.0.1', {
      db: database,
      ...(password !== undefined && { password }),
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
    });
    client.on('error', () => undefined);
    this.#clients.push(client);
    return client;
  }

  async remove(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await this.#daemon.remove();
  }

  private args(): string[] {
    const { password, replicaOf, isDurable = false } = this.options;
    return [
      `--port ${this.port}`,
      '--bind 127.0.0.1',
      '--save ""',
      `--appendonly ${isDurable ? 'yes' : 'no'}`,
      '--appendfsync always',
      ...(password === undefined ? [] : [`--requirepass ${password}`, `--masterauth ${password}`]),
      ...(replicaOf === undefined ? [] : [`--replicaof 127.0.0.1 ${replicaOf.port}`]),
    ].flatMap((option) => option.replace('""', '').split(' '));
  }
}
