import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_DEADLINE_MS = 20_000;

/** An nginx in the foreground, with a directory of its own for everything it writes. */
export class Nginx {
  private constructor(
    readonly directory: string,
    private readonly child: ChildProcess,
    private readonly errors: readonly string[],
  ) {}

  /**
   * Starts nginx with `http`, the content of its `http` block, and waits until `port` takes connections. Rejects
   * with what nginx printed when it does not.
   */
  static async start(port: number, http: (directory: string) => string): Promise<Nginx> {
    const directory = mkdtempSync(join(tmpdir(), 'nginx-'));
    const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${join(directory, kind)};`)
      .join('\n');
    const file = join(directory, 'nginx.conf');
    writeFileSync(
      file,
      `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${join(directory, 'nginx.pid')};
error_log stderr;
events { worker_connections 512; }
http {
${scratch}
access_log off;
${http(directory)}
}
`,
    );
    const child = spawn('nginx', ['-c', file, '-p', directory], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const errors: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
    const nginx = new Nginx(directory, child, errors);
    await nginx.#takingConnections(port);
    return nginx;
  }

  /** Ends it and removes its directory. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const closed = once(this.child, 'close');
      this.child.kill('SIGTERM');
      await closed;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #takingConnections(port: number): Promise<void> {
    for (const deadline = Date.now() + START_DEADLINE_MS; !(await answers(port)); await sleep(50)) {
      if (this.child.exitCode === null && Date.now() < deadline) continue;
      const printed = this.errors.join('');
      await this.stop();
      throw new Error(`nginx does not serve:\n${printed}`);
    }
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
