import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Whether filesystems that hang can be made here. */
export function canHang(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A filesystem that never answers, over a directory. */
export interface HungMount {
  /** Lets everybody go who hangs, and takes it away. */
  release(): Promise<void>;
}

/** Mounts it; rejects with the reason when that is not allowed here. */
export async function hangDirectory(directory: string): Promise<HungMount> {
  const script = join(__dirname, 'hung-mount-process.mjs');
  const child = spawn(process.execPath, [script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const started = await Promise.race([
    once(child.stdout, 'data').then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  if (!started) throw new Error(`cannot mount over ${directory}`);
  return {
    async release() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      spawnSync('umount', ['-l', directory]);
    },
  };
}
