import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 20_000;

/**
 * Mounts another view of `source` over `directory` (both are made), served by a process: whoever touches it while that
 * is stopped hangs. Needs root, FUSE and bindfs; rejects without.
 */
export async function mountStopping(source, directory) {
  for (const path of [source, directory]) mkdirSync(path, { recursive: true });
  const before = statSync(directory).dev;
  // Nothing is remembered: every look asks the process.
  const options = 'allow_other,attr_timeout=0,entry_timeout=0';
  const child = spawn('bindfs', ['-f', '-o', options, source, directory], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let failure;
  child.once('error', (error) => (failure = error));
  const deadline = Date.now() + PATIENCE_MS;
  while (statSync(directory).dev === before) {
    if (failure || child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`bindfs cannot mount over ${directory}`, { cause: failure });
    }
    await sleep(20);
  }
  return {
    stop: () => child.kill('SIGSTOP'),
    goOn: () => child.kill('SIGCONT'),
    async unmount() {
      child.kill('SIGCONT');
      spawnSync('umount', ['-l', directory]);
      if (child.exitCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
