import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** One operation on hostile paths of a vfolder. */
export interface Call {
  readonly operation: string;
  readonly vfid: string;
  readonly paths: readonly string[];
  /** Whatever the operation has two ways of: recursive or not, and so on. */
  readonly flag: boolean;
}

export interface Answer {
  readonly number: number;
  /** Operations that succeeded at least once. */
  readonly worked: readonly string[];
  readonly violations: readonly string[];
}

/** A process with the domain of one volume; see domain-host.mjs. */
export class DomainProcess {
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #messages = 0;

  /** `inodes` are those that nothing may lead to. */
  constructor(setting: { dist: string; volumePath: string; canary: string; inodes: number[] }) {
    this.#child = fork(join(__dirname, 'domain-host.mjs'), [JSON.stringify(setting)], {
      // Links through /proc/self/cwd lead to what lies beside the volume.
      cwd: join(setting.volumePath, '..'),
      stdio: ['ignore', 2, 2, 'ipc'],
      // As many threads for system calls as a worker of the product has.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    });
    this.#gone = once(this.#child, 'exit');
    this.#child.on('message', (answer: Answer) => this.#waiting.get(answer.number)?.(answer));
  }

  async ready(): Promise<void> {
    await this.orGone(once(this.#child, 'message'));
  }

  /** Resolves when all calls have ended. Rejects when the process has, which it must not. */
  async perform(calls: readonly Call[]): Promise<Answer> {
    const number = ++this.#messages;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(number, resolve));
    this.#child.send({ number, calls });
    const answer = await this.orGone(answered);
    this.#waiting.delete(number);
    return answer;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  private async orGone<Result>(work: Promise<Result>): Promise<Result> {
    const ended = this.#gone.then(() => {
      throw new Error('the process of the domain has ended');
    });
    return await Promise.race([work, ended]);
  }
}
