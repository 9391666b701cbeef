import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_DEADLINE_MS = 20_000;

/** A server of somebody else's that a test starts, breaks and ends, with a directory of its own. */
export class Daemon {
  readonly directory: string;
  #child: ChildProcess | undefined;
  #output = '';

  constructor(
    private readonly program: string,
    private readonly args: (directory: string) => readonly string[],
    private readonly isUp: () => Promise<boolean>,
  ) {
    this.directory = mkdtempSync(join(tmpdir(), `${program}-`));
  }

  /** Starts it, or starts it again with what it has stored; resolves when it answers. */
  async start(): Promise<void> {
    const child = spawn(this.program, this.args(this.directory), {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    }
    const deadline = Date.now() + START_DEADLINE_MS;
    while (!(await this.isUp().catch(() => false))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`${this.program} does not start:\n${this.#output}`);
      }
      await sleep(30);
    }
  }

  /** SIGSTOP and SIGCONT make it slow. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
