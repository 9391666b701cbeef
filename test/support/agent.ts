import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { childrenOf } from './processes.js';

const MAIN = join(process.cwd(), 'dist', 'main.js');
const START_DEADLINE_MS = 60_000;

export interface TestAgentOptions {
  /** Configured volumes; one of `vfs` in the agent's directory unless given. */
  readonly volumes?: Readonly<Record<string, object>>;
  /** Members of `[agent]`. */
  readonly agent?: object;
}

/** A `storage-proxy agent` of the built product, with a configuration and a socket of its own. */
export class TestAgent {
  readonly directory = mkdtempSync(join(tmpdir(), 'storage-proxy-agent-'));
  readonly socket = join(this.directory, 'run', 'agent.sock');
  readonly volumePath = join(this.directory, 'volume');
  readonly configFile = join(this.directory, 'storage-proxy.toml');
  #child: ChildProcess | undefined;
  #output = '';

  constructor(options: TestAgentOptions = {}) {
    mkdirSync(this.volumePath);
    // Peers of other users must get there; the mode of the socket decides.
    mkdirSync(join(this.directory, 'run'), { mode: 0o755 });
    chmodSync(this.directory, 0o755);
    const configuration = {
      'storage-proxy': {
        'node-id': 'test',
        secret: 'the-key-of-the-test-tokens',
        'session-expire': '1d',
        user: process.getuid!(),
        group: process.getgid!(),
      },
      api: { manager: { secret: 'the-secret-of-the-test-manager' } },
      volume: options.volumes ?? { local: { backend: 'vfs', path: this.volumePath } },
      agent: { socket: this.socket, ...options.agent },
    };
    writeFileSync(this.configFile, stringify(configuration), { mode: 0o600 });
  }

  /** Standard output and standard error of the current process. */
  get output(): string {
    return this.#output;
  }

  get log(): Record<string, unknown>[] {
    const lines = this.#output.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Process id of the supervisor. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Process id of the agent itself. */
  get agentPid(): number | undefined {
    return childrenOf(this.pid).find(({ title }) => title.startsWith('storage-proxy: agent'))?.pid;
  }

  /** Starts the process (again), without waiting. */
  launch(): void {
    this.#output = '';
    const child = spawn(process.execPath, [MAIN, 'agent', '-f', this.configFile], {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
    this.#child = child;
  }

  /** Resolves when the agent listens. */
  async start(): Promise<void> {
    this.launch();
    await this.until('the agent to listen', () => this.output.includes('The agent listens'));
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = Date.now() + START_DEADLINE_MS;
    while (!holds()) {
      const hasEnded = this.#child?.exitCode !== null;
      if (hasEnded || Date.now() > deadline) {
        throw new Error(`waited in vain for ${what}:\n${this.output}`);
      }
      await sleep(20);
    }
  }

  /** Sends the signal and resolves with how the process ended. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (!child) return null;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const closed = once(child, 'close');
    child.kill(signal);
    await closed;
    return child.exitCode;
  }

  /** How the process ended, once it has. */
  async ended(): Promise<number | null> {
    if (this.#child?.exitCode === null) await once(this.#child, 'close');
    return this.#child?.exitCode ?? null;
  }

  async dispose(): Promise<void> {
    await this.end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
