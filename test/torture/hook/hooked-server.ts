import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenOf } from '../../support/processes.js';
import { TestServer, type ServerOptions } from '../../support/server.js';

/** What a worker holds, after its garbage has been collected. */
export interface Holdings {
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly threads: number;
  /** What each descriptor is open on, as /proc shows it. */
  readonly descriptors: readonly string[];
  /** Node's own names of what keeps its loop busy, with how many there are. */
  readonly resources: Readonly<Record<string, number>>;
}

export interface Fault {
  /** Of a function in `src/native`. */
  readonly syscall: string;
  /** 1: the next call. */
  readonly nth: number;
  readonly errno: number;
  /** Every call from the n-th on fails, not only that one. */
  readonly lasting?: boolean;
}

/** A built server with test/torture/hook/hook.mjs in each of its processes. */
export class HookedServer {
  private constructor(
    readonly server: TestServer,
    private readonly directory: string,
  ) {}

  static async start(options: ServerOptions = {}): Promise<HookedServer> {
    const directory = mkdtempSync(join(options.parent ?? tmpdir(), 'hook-'));
    const server = await TestServer.start({
      ...options,
      nodeArgs: ['--import', join(__dirname, 'hook.mjs')],
      env: {
        ...options.env,
        TORTURE_HOOK_DIRECTORY: directory,
        TORTURE_DIST: join(process.cwd(), 'dist'),
      },
    });
    return new HookedServer(server, directory);
  }

  /** Process ids of the workers. */
  workers(): number[] {
    return childrenOf(this.server.pid)
      .filter(({ title }) => /worker \d+$/.test(title))
      .map(({ pid }) => pid);
  }

  /** Of the one worker, unless told. */
  async arm(fault: Fault, pid = this.workers()[0]!): Promise<void> {
    await this.ask(pid, { command: 'arm', ...fault });
  }

  /** How often the fault has struck, and how often each function was called since the last `arm` or `disarm`. */
  async disarm(
    pid = this.workers()[0]!,
  ): Promise<{ fired: number; counts: Readonly<Record<string, number>> }> {
    return (await this.ask(pid, { command: 'disarm' })) as {
      fired: number;
      counts: Record<string, number>;
    };
  }

  async inspect(pid = this.workers()[0]!): Promise<Holdings> {
    return (await this.ask(pid, { command: 'inspect' })) as Holdings;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private ask(pid: number, request: object): Promise<object> {
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.directory, String(pid)));
      let text = '';
      socket.setEncoding('utf8').once('error', reject);
      socket.on('data', (chunk: string) => {
        text += chunk;
        if (!text.endsWith('\n')) return;
        socket.destroy();
        const answer = JSON.parse(text) as { error?: string };
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error));
      });
      socket.once('close', () => reject(new Error(`worker ${pid} did not answer`)));
      socket.write(`${JSON.stringify(request)}\n`);
    });
  }
}
