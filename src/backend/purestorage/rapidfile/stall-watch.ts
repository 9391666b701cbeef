import { readFileSync } from 'node:fs';

/** How often a program's figures are looked at. */
const LOOKS = 12;

/**
 * Calls `onStall` when a process has neither used its processor nor read or written anything for `stallMs`: a file
 * server that does not answer, or a pipe that a tenant put where the program reads. Returns the way to end the watch.
 */
export function watchForStall(pid: number, stallMs: number, onStall: () => void): () => void {
  let before = figures(pid);
  let still = 0;
  const timer = setInterval(() => {
    const now = figures(pid);
    still = now === before ? still + 1 : 0;
    before = now;
    if (still >= LOOKS) onStall();
  }, stallMs / LOOKS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Bytes, calls and ticks of all threads (proc(5)); the process may belong to another user, who hides the first two. */
function figures(pid: number): string {
  return read(`/proc/${pid}/io`) + ticks(read(`/proc/${pid}/stat`));
}

/** utime and stime are the 14th and 15th field; the second is a name that may hold anything. */
function ticks(stat: string): string {
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .join(' ');
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
