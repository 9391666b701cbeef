import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SETTINGS = {
  scandirLimit: 1000,
  maxUploadSizeBytes: 8 * 1024 ** 3,
  tokenKeys: ['a secret that only tests know'],
  tokenLifetimeMs: 600_000,
  autoCreateQuotaScope: true,
  unmanagedRoots: [],
  operationDeadlineMs: 30_000,
  usageDeadlineMs: 30_000,
  bulkheadShare: 16,
  uploads: {
    lockWaitMs: 20_000,
    idleTimeoutMs: 10_000,
    stagingMaxAgeMs: 86_400_000,
    finishedRetentionMs: 86_400_000,
    sweepIntervalMs: 3_600_000,
  },
  downloads: { idleTimeoutMs: 10_000, compressionLevel: 1 },
  jobs: { retentionMs: 86_400_000, heartbeatMs: 10_000, expiredAfterMs: 45_000 },
  nodeId: 'test',
};

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A volume in a temporary directory, and client planes that serve it, each in a process of its own. */
export class ClientPlanes {
  readonly volumePath = mkdtempSync(join(tmpdir(), 'client-plane-'));
  readonly #running: ClientPlane[] = [];

  async start(settings: object = {}): Promise<ClientPlane> {
    const volume = {
      name: 'local',
      backend: 'vfs',
      path: this.volumePath,
      fsprefix: '.',
      options: {},
    };
    const all = { ...SETTINGS, volumes: [volume], ...settings };
    const child = fork(join(__dirname, 'client-plane-process.mjs'), [JSON.stringify(all)], {
      execArgv: [],
    });
    const plane = new ClientPlane(child);
    this.#running.push(plane);
    await plane.started();
    return plane;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((plane) => plane.kill()));
    rmSync(this.volumePath, { recursive: true, force: true });
  }
}

/** One process that serves a client plane. */
export class ClientPlane {
  readonly #pending = new Map<number, (reply: Reply) => void>();
  readonly #port: Promise<number>;
  #last = 0;
  port = 0;

  constructor(private readonly child: ChildProcess) {
    this.#port = new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error('the client plane ended before it listened')));
      child.on('message', (message: Reply | { port: number }) => {
        if ('port' in message) resolve(message.port);
        else this.#pending.get(message.id)?.(message);
      });
    });
  }

  async started(): Promise<void> {
    this.port = await this.#port;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  uploadUrl(token: string, destination?: string): string {
    const query = new URLSearchParams({ token, ...(destination ? { dst_dir: destination } : {}) });
    return `${this.origin}/upload?${query.toString()}`;
  }

  /** Makes a vfolder; returns its path on this host. */
  createVFolder(vfid: string): Promise<string> {
    return this.ask('createVFolder', { vfid }) as Promise<string>;
  }

  uploadToken(request: {
    readonly volume?: string;
    readonly vfid: string;
    readonly path: string;
    readonly size: number;
  }): Promise<{ token: string; session: string }> {
    return this.ask('uploadToken', request) as Promise<{ token: string; session: string }>;
  }

  /** `archive` and `unmanagedPath` are claims of the token. */
  downloadToken(request: {
    readonly volume?: string;
    readonly vfid: string;
    readonly path: string;
    readonly archive?: boolean;
    readonly unmanagedPath?: string;
  }): Promise<string> {
    return this.ask('downloadToken', request) as Promise<string>;
  }

  archiveToken(request: {
    readonly vfid: string;
    readonly files: readonly string[];
    readonly filename?: string;
  }): Promise<string> {
    return this.ask('archiveToken', request) as Promise<string>;
  }

  /** SIGKILL: no handler runs, nothing is flushed. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  private async ask(command: string, argument: object): Promise<unknown> {
    const id = ++this.#last;
    const reply = await new Promise<Reply>((resolve) => {
      this.#pending.set(id, resolve);
      this.child.send({ id, command, argument });
    });
    this.#pending.delete(id);
    if (reply.error) throw Object.assign(new Error(reply.error.message), reply.error);
    return reply.result;
  }
}
