import { openSync } from 'node:fs';
import { dropNewPrivileges, execute } from '../../../native/execute.js';
import { restrictFiles, type BeneathRule } from '../../../native/landlock.js';
import { refuseNetwork } from '../../../native/no-network.js';
import { dieWithParent } from '../../../native/parent-death.js';
import type { ConfinedStart } from './confined-start.js';

/**
 * A process that gives up all rights but those of its task, and then becomes the program: whatever names a tenant puts
 * in its way, the kernel refuses what lies outside. It opens no network connection either, since a program that spoke
 * NFS itself would not pass through this kernel's checks.
 */
const start = JSON.parse(process.argv[2] ?? '') as ConfinedStart;
dieWithParent();
if (process.ppid === start.parent) {
  dropNewPrivileges();
  if (start.confinement) {
    restrictFiles([...start.confinement.trees, ...systemRules(start.confinement.readable)]);
    refuseNetwork();
  }
  execute(start.program, start.args, process.env, start.descriptors);
}

function systemRules(readable: readonly string[]): BeneathRule[] {
  const read = readable.flatMap((path) =>
    openDirectory(path, ['readFile', 'readDirectory', 'execute'] as const),
  );
  return [...read, ...openDirectory('/dev', ['readFile', 'readDirectory', 'writeFile'])];
}

/** Descriptors stay open until the program starts: Node marks them close-on-exec. */
function openDirectory(path: string, rights: BeneathRule['rights']): BeneathRule[] {
  try {
    return [{ fd: openSync(path, 'r'), rights }];
  } catch {
    return [];
  }
}
