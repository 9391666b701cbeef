import { fstatSync, openSync } from 'node:fs';
import { dropNewPrivileges, execute } from '../../../native/execute.js';
import { restrictFiles, type BeneathRule } from '../../../native/landlock.js';
import { restrictCalls } from '../../../native/restrict-calls.js';
import { dieWithParent } from '../../../native/parent-death.js';
import type { ConfinedStart } from './confined-start.js';

/**
 * A process that gives up all rights but those of its task, and then becomes the program: whatever names a tenant puts
 * in its way, the kernel refuses what lies outside. It opens no network connection either, since a program that spoke
 * NFS itself would not pass through this kernel's checks.
 */
const [, , settings = '', ...args] = process.argv;
const start = JSON.parse(settings) as ConfinedStart;
dieWithParent();
if (process.ppid === start.parent) {
  dropNewPrivileges();
  if (start.confinement) {
    const { trees, readable, writable } = start.confinement;
    restrictFiles([
      ...trees,
      ...readable.flatMap((path) => hostRule(path, [])),
      ...writable.flatMap((path) => hostRule(path, ['writeFile'])),
    ]);
    restrictCalls();
  }
  execute(start.program, args, process.env, start.descriptors);
}

/** Descriptors stay open until the program starts: Node marks them close-on-exec. */
function hostRule(path: string, more: BeneathRule['rights']): BeneathRule[] {
  try {
    const fd = openSync(path, 'r');
    const ofDirectory = fstatSync(fd).isDirectory() ? (['readDirectory'] as const) : [];
    return [{ fd, rights: ['readFile', 'execute', ...ofDirectory, ...more] }];
  } catch {
    return [];
  }
}
