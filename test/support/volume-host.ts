import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { Job } from '../../src/volume/jobs/job.js';

const SCRIPT = path.join(__dirname, 'volume-host-process.mjs');

export interface Folder {
  readonly volume: string;
  readonly vfid: string;
}

/** Told by the JobPublisher of a host; the job went through JSON. */
export interface PublishedEvent {
  readonly event: string;
  readonly job: Job;
  readonly message?: string;
}

export interface HostOptions {
  readonly volumes: Readonly<Record<string, string>>;
  readonly nodeId?: string;
  readonly logLevel?: string;
  readonly jobs?: Readonly<Record<string, number>>;
}

export interface CallError extends Error {
  readonly code: string;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A process that runs the domain of the given volumes; see volume-host-process.mjs. */
export class VolumeHost {
  readonly events: PublishedEvent[] = [];
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #calls = 0;

  private constructor(private readonly child: ChildProcess) {
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    child.on('message', (message) => this.receive(message as Record<string, unknown>));
    child.once('exit', () => {
      for (const call of this.#pending.values()) call.reject(new Error('the host has ended'));
      this.#pending.clear();
    });
  }

  static async start(options: HostOptions): Promise<VolumeHost> {
    const child = fork(SCRIPT, [JSON.stringify(options)], { stdio: ['ignore', 2, 2, 'ipc'] });
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`the host ended with ${code}`)));
    });
    return new VolumeHost(child);
  }

  async call<T>(call: string, ...args: unknown[]): Promise<T> {
    const number = ++this.#calls;
    return await new Promise<T>((resolve, reject) => {
      this.#pending.set(number, { resolve, reject });
      this.child.send({ number, call, args }, (error) => {
        if (error) reject(error);
      });
    });
  }

  delete(folder: Folder): Promise<string | null> {
    return this.call('delete', folder);
  }

  clone(from: Folder, to: Folder): Promise<string | null> {
    return this.call('clone', from, to);
  }

  get(id: string): Promise<Job> {
    return this.call('get', id);
  }

  /** The job once it has ended. */
  async ended(id: string): Promise<Job> {
    const seen = await this.call<Job[]>('watch', id);
    return seen.at(-1)!;
  }

  named(event: string): PublishedEvent[] {
    return this.events.filter((told) => told.event === event);
  }

  /** SIGKILL, now. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exited;
  }

  private receive(message: Record<string, unknown>): void {
    if (typeof message['event'] === 'string') {
      this.events.push(message as unknown as PublishedEvent);
      return;
    }
    const pending = this.#pending.get(message['number'] as number);
    this.#pending.delete(message['number'] as number);
    const error = message['error'] as { code: string; message: string } | undefined;
    if (error) pending?.reject(Object.assign(new Error(error.message), error));
    else pending?.resolve(message['result']);
  }
}
