import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** What operators write for "no pid file". */
const NOWHERE = '/dev/null';

/** Writes this process's id; returns the way to remove the file, which leaves another process's alone. */
export function writePidFile(path: string, pid: number = process.pid): () => void {
  if (path === NOWHERE) return () => undefined;
  writeFileSync(path, `${pid}\n`, { mode: 0o644 });
  return () => {
    try {
      if (readFileSync(path, 'utf8').trim() === String(pid)) rmSync(path);
    } catch {
      // Gone already, or not removable by us any more: nothing depends on it.
    }
  };
}
