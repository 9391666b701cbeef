import { functions } from './functions.js';

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * From now on the kernel kills this process when its parent dies (prctl(2), PR_SET_PDEATHSIG), even while
 * all its threads are stuck in system calls. Not inherited, and cleared by a change of user: call it in the
 * process itself, after that. The parent may have died before; compare `process.ppid`.
 */
export function dieWithParent(): void {
  functions.prctl.sync(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
