import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { canHang } from './hung-mount.js';
import { isInstalled } from './programs.js';

const PATIENCE_MS = 20_000;

/** Whether filesystems that work, stop answering, and answer again can be made here. */
export function canStopAnswering(): boolean {
  return canHang() && isInstalled('bindfs');
}

/** A filesystem served by a process: another view of a directory, which hangs as long as that process is stopped. */
export interface StoppingMount {
  stop(): void;
  goOn(): void;
  unmount(): Promise<void>;
}

/** Mounts `source` over `directory`, which is made, or empty. */
export async function mountStopping(source: string, directory: string): Promise<StoppingMount> {
  mkdirSync(directory, { recursive: true });
  const before = statSync(directory).dev;
  // Nothing is remembered: every look asks the process.
  const options = 'allow_other,attr_timeout=0,entry_timeout=0';
  const child = spawn('bindfs', ['-f', '-o', options, source, directory], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const deadline = Date.now() + PATIENCE_MS;
  while (statSync(directory).dev === before) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`bindfs cannot mount over ${directory}`);
    }
    await sleep(20);
  }
  return {
    stop: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
    async unmount() {
      child.kill('SIGCONT');
      spawnSync('umount', ['-l', directory]);
      if (child.exitCode === null) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
    },
  };
}
