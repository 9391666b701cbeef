import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Processes that attack vfolders from inside; see attacker-process.mjs. */
export class Attackers {
  private constructor(private readonly children: readonly ChildProcess[]) {}

  /** @param targets what their links point to */
  static start(count: number, seed: number, targets: readonly string[]): Attackers {
    const children = Array.from({ length: count }, (_, index) =>
      fork(
        join(__dirname, 'attacker-process.mjs'),
        [JSON.stringify({ seed: seed + index, targets })],
        { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
      ),
    );
    return new Attackers(children);
  }

  /** Resolves when all of them are at it. */
  async takeOn(folder: string): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        child.send({ folder });
        await once(child, 'message');
      }),
    );
  }

  /** Ends them: how many exchanges they made. Rejects when one has died on the way. */
  async stop(): Promise<number> {
    const counts = await Promise.all(
      this.children.map(async (child) => {
        if (child.exitCode !== null) throw new Error('an attacker has died');
        child.send('stop');
        for (;;) {
          const [message] = (await once(child, 'message')) as [{ swaps?: number }];
          if (message.swaps !== undefined) return message.swaps;
        }
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  kill(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }
}
