import { functions } from './functions.js';

const RLIMIT_CORE = 4;
const THIS_PROCESS = 0;
/** Two 64-bit numbers, both 0: now, and for good. */
const NOTHING = Buffer.alloc(16);

/** From now on this process and its children leave no core dump: their memory holds secrets and users' data (setrlimit(2)). */
export function forbidCoreDumps(): void {
  functions.prlimit.sync(THIS_PROCESS, RLIMIT_CORE, NOTHING, 0);
}
