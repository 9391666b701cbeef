import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sync } from '../../../native/calls.js';
import { AT_FDCWD } from '../../../native/constants.js';
import { OPEN_DIRECTORY } from '../descent.js';
import type { Walk } from '../walk.js';

/** Not root, and owner of nothing. */
const NOBODY = 65534;

/** In memory, where there is such a place: trees of thousands of directories are slow to make on a disk. */
const PLACE = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();

/** A directory for one test, which the user of `asNobody` can reach. */
export function makeScratch(): string {
  const scratch = fs.mkdtempSync(path.join(PLACE, 'trees-'));
  fs.chmodSync(scratch, 0o777);
  return scratch;
}

/** Whatever is in it: deeper than Node's own removal can go, and with modes in its way. */
export function removeScratch(scratch: string): void {
  execFileSync('chmod', ['-R', 'u+rwx', scratch]);
  execFileSync('rm', ['-rf', scratch]);
}

export function openDirectory(directory: string): number {
  return sync.openat(AT_FDCWD, Buffer.from(directory), OPEN_DIRECTORY);
}

/** `levels` directories named `d`, one in the other, with a file `f` in the deepest; deeper than a path can be long. */
export function makeDeepTree(top: string, levels: number): void {
  const name = Buffer.from('d');
  let fd = openDirectory(top);
  for (let level = 0; level < levels; level++) {
    sync.mkdirat(fd, name, 0o755);
    const below = sync.openat(fd, name, OPEN_DIRECTORY);
    sync.close(fd);
    fd = below;
  }
  sync.symlinkat(Buffer.from('target'), fd, Buffer.from('f'));
  sync.close(fd);
}

/** Descriptors this process has open. */
export function countDescriptors(): number {
  return fs.readdirSync('/proc/self/fd').length;
}

/** Runs a walk to its end; `atStep` sees each of its steps. */
export function drain<Result>(
  walk: Walk<Result>,
  atStep: (step: number) => void = () => undefined,
): { result: Result; batches: Uint8Array[] } {
  const batches: Uint8Array[] = [];
  for (let step = 1; ; step++) {
    const { done, value } = walk.next();
    if (done) return { result: value, batches };
    if (value) batches.push(value);
    atStep(step);
  }
}

/** Runs `work` as somebody whom permissions bind, which root is not. */
export function asNobody<Result>(work: () => Result): Result {
  if (process.geteuid!() !== 0) return work();
  process.setegid!(NOBODY);
  process.seteuid!(NOBODY);
  try {
    return work();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}
