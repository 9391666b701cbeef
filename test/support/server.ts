import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { freePorts } from './free-port.js';
import { send, type Answer } from './http.js';
import { childrenOf, isRunning } from './processes.js';

const MAIN = join(process.cwd(), 'dist', 'main.js');
const START_DEADLINE_MS = 120_000;
const AUTH_HEADER = 'x-backendai-storage-auth-token';

type Table = { [key: string]: unknown };

export interface ServerOptions {
  /** Laid over the configuration that every test server has, table by table. */
  readonly config?: Table;
  readonly env?: Readonly<Record<string, string>>;
  /** Names of `vfs` volumes, each in a folder of its own; `local` unless given. */
  readonly volumes?: readonly string[];
  readonly args?: readonly string[];
  /** For Node.js itself, before the script: a module to preload, for instance. */
  readonly nodeArgs?: readonly string[];
  /** Where its directory is made; the system's directory for temporary files unless given. */
  readonly parent?: string;
  /** Another build's main.js. */
  readonly main?: string;
  /** False: `start` returns at once, for servers that are not expected to become ready. */
  readonly waitUntilReady?: boolean;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A line of the server's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly component?: string;
  readonly [fact: string]: unknown;
}

/**
 * A `storage-proxy serve` of the built product, with a configuration of its own on free ports and volumes
 * in a temporary directory that goes away with it.
 */
export class TestServer {
  readonly secret = 'the-secret-of-the-test-manager';
  readonly jwtKey = 'the-key-of-the-test-tokens';
  readonly #output: string[] = [];
  readonly #errors: string[] = [];
  #child: ChildProcess | undefined;
  #ended: Promise<Ended> | undefined;

  private constructor(
    readonly directory: string,
    readonly ports: {
      readonly client: number;
      readonly manager: number;
      readonly internal: number;
    },
    private readonly options: ServerOptions,
  ) {}

  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const server = await TestServer.prepare(options);
    try {
      await server.launch();
    } catch (error) {
      // Nobody else can, and its pipes would keep Jest from exiting.
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Everything but the process: for tests that change files before, or launch several times. */
  static async prepare(options: ServerOptions = {}): Promise<TestServer> {
    const directory = mkdtempSync(join(options.parent ?? tmpdir(), 'storage-proxy-'));
    // Workers may run as another user.
    chmodSync(directory, 0o755);
    const [client = 0, manager = 0, internal = 0] = await freePorts(3);
    const server = new TestServer(directory, { client, manager, internal }, options);
    for (const volume of options.volumes ?? ['local']) {
      mkdirSync(server.volumePath(volume), { recursive: true });
      writeFileSync(join(server.volumePath(volume), 'version.txt'), '3\n');
    }
    server.configure(options.config ?? {});
    return server;
  }

  get configFile(): string {
    return join(this.directory, 'storage-proxy.toml');
  }
  get clientUrl(): string {
    return `http://127.0.0.1:${this.ports.client}`;
  }
  get managerUrl(): string {
    return `http://127.0.0.1:${this.ports.manager}`;
  }
  get internalUrl(): string {
    return `http://127.0.0.1:${this.ports.internal}`;
  }
  /** Process id of the primary. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }
  /** Standard output and standard error so far. */
  get output(): string {
    return this.#output.join('');
  }
  /** Standard error alone. */
  get errors(): string {
    return this.#errors.join('');
  }
  /** The log so far, without lines that are not JSON. */
  get log(): LogLine[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  volumePath(volume = 'local'): string {
    return join(this.directory, 'volumes', volume);
  }

  /** Writes the configuration file anew. */
  configure(changes: Table): void {
    const volumes = (this.options.volumes ?? ['local']).map((name) => [
      name,
      { backend: 'vfs', path: this.volumePath(name) },
    ]);
    const base: Table = {
      'storage-proxy': {
        'node-id': 'test',
        'num-proc': 1,
        secret: this.jwtKey,
        'session-expire': '1d',
        user: process.getuid?.() ?? 0,
        group: process.getgid?.() ?? 0,
      },
      api: {
        client: { 'service-addr': `127.0.0.1:${this.ports.client}`, 'ssl-enabled': false },
        manager: {
          'service-addr': `127.0.0.1:${this.ports.manager}`,
          'internal-addr': `127.0.0.1:${this.ports.internal}`,
          'ssl-enabled': false,
          secret: this.secret,
        },
      },
      volume: Object.fromEntries(volumes) as Table,
      health: { 'probe-interval': '1s', 'probe-timeout': '1s' },
      server: { 'shutdown-timeout': '10s' },
    };
    writeFileSync(this.configFile, stringify(merge(base, changes)), { mode: 0o600 });
  }

  /** Starts the process (again). Rejects with its output when it ends instead of becoming ready. */
  async launch(): Promise<void> {
    const { nodeArgs = [], main = MAIN, args: more = [] } = this.options;
    const args = [...nodeArgs, main, 'serve', '-f', this.configFile, ...more];
    const child = spawn(process.execPath, args, {
      cwd: this.directory,
      env: { ...withoutOverrides(process.env), ...this.options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#output.length = 0;
    this.#errors.length = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#output.push(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#output.push(text);
      this.#errors.push(text);
    });
    this.#ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    if (this.options.waitUntilReady ?? true) await this.ready();
  }

  /** Resolves when every worker takes requests and `/readyz` says so. */
  async ready(): Promise<void> {
    const serving = async (): Promise<boolean> => {
      if (!this.isRunning) throw new Error(`the server ended instead of serving:\n${this.output}`);
      if (!this.log.some(({ msg }) => msg === 'Serving')) return false;
      const answer = await send('GET', `${this.internalUrl}/readyz`).catch(() => undefined);
      return answer?.status === 200;
    };
    await this.until('the server to be ready', serving, START_DEADLINE_MS);
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits for something, looking often. Rejects with the log when it does not come about. */
  async until(
    what: string,
    holds: () => boolean | Promise<boolean>,
    deadlineMs = 60_000,
  ): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}:\n${this.output}`);
      await sleep(50);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** SIGKILL, without a word to anybody; its workers die with it. Resolves when none is left, and so its ports are free. */
  async crash(): Promise<void> {
    const everybody = [this.pid, ...childrenOf(this.pid).map(({ pid }) => pid)];
    this.signal('SIGKILL');
    await this.ended();
    while (everybody.some(isRunning)) await sleep(20);
  }

  /** Stops all of its processes where they are, as a host that hangs; locks and connections stay. `SIGCONT`: on they go. */
  signalGroup(signal: 'SIGSTOP' | 'SIGCONT'): void {
    // The primary first, or it would notice that its workers are late.
    for (const pid of [this.pid, ...childrenOf(this.pid).map((child) => child.pid)]) {
      process.kill(pid, signal);
    }
  }

  /** How the process ended, once it has. */
  ended(): Promise<Ended> {
    if (!this.#ended) throw new Error('the server was not started');
    return this.#ended;
  }

  /** Ends the process politely, for certain, and removes the directory. */
  async stop(): Promise<void> {
    if (this.isRunning) {
      this.signal('SIGTERM');
      const late = setTimeout(() => this.signal('SIGKILL'), 20_000);
      await this.ended();
      clearTimeout(late);
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A request of a manager: authenticated, parameters as a JSON body. */
  manager(method: string, path: string, parameters?: object): Promise<Answer> {
    const body = parameters === undefined ? undefined : Buffer.from(JSON.stringify(parameters));
    const headers = {
      [AUTH_HEADER]: this.secret,
      ...(body ? { 'content-type': 'application/json' } : {}),
    };
    return send(method, `${this.managerUrl}${path}`, headers, body);
  }
}

function merge(base: Table, changes: Table): Table {
  const merged = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const old = merged[key];
    merged[key] = isTable(old) && isTable(value) ? merge(old, value) : value;
  }
  return merged;
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutOverrides(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !/^(STORAGE_PROXY__|BACKEND_)/.test(name));
  return Object.fromEntries(kept);
}
