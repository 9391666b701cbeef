import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from './free-port.js';

const START_DEADLINE_MS = 60_000;

/** The playground that the README tells of, `serve --dev` in a folder of its own, on free ports. */
export class DevServer {
  #output = '';

  private constructor(
    /** Working directory of the server; holds `var` and a copy of the README. */
    readonly directory: string,
    readonly ports: { readonly client: number; readonly manager: number },
    private readonly child: ChildProcess,
  ) {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    }
  }

  static async start(): Promise<DevServer> {
    const directory = mkdtempSync(join(tmpdir(), 'playground-'));
    copyFileSync('README.md', join(directory, 'README.md'));
    const [client = 0, manager = 0, internal = 0] = await freePorts(3);
    const child = spawn(
      process.execPath,
      [join(process.cwd(), 'dist', 'main.js'), 'serve', '--dev'],
      {
        cwd: directory,
        env: {
          ...process.env,
          STORAGE_PROXY__API__CLIENT__SERVICE_ADDR: `127.0.0.1:${client}`,
          STORAGE_PROXY__API__MANAGER__SERVICE_ADDR: `127.0.0.1:${manager}`,
          STORAGE_PROXY__API__MANAGER__INTERNAL_ADDR: `127.0.0.1:${internal}`,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const server = new DevServer(directory, { client, manager }, child);
    await server.announced();
    return server;
  }

  /** Both streams so far. */
  get output(): string {
    return this.#output;
  }

  get secretFile(): string {
    return join(this.directory, 'var', 'manager-secret');
  }

  private async announced(): Promise<void> {
    const deadline = Date.now() + START_DEADLINE_MS;
    while (!/^ *curl .*\n/m.test(this.#output)) {
      if (this.child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the playground did not start:\n${this.#output}`);
      }
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      this.child.kill('SIGTERM');
      await once(this.child, 'exit');
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
