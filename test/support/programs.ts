import { execFileSync, spawnSync } from 'node:child_process';

/** Whether a program can be run here. */
export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** Runs a program; throws with its output when it fails. Standard output as bytes. */
export function run(program: string, ...args: string[]): Buffer {
  return execFileSync(program, args, { maxBuffer: 1024 ** 3, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** `it`, or a skipped test that says which program is missing. */
export function itWith(program: string): jest.It {
  if (isInstalled(program)) return it;
  process.stderr.write(`SKIPPED: tests that need ${program}, which is not installed\n`);
  return it.skip;
}
