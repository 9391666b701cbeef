import { readFileSync, readdirSync } from 'node:fs';

/** A process, as /proc tells of it. */
export interface ProcessInfo {
  readonly pid: number;
  /** What `ps` shows: its title or its command line. */
  readonly title: string;
}

/** The running children of a process, zombies left out. */
export function childrenOf(parent: number): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [state, ppid] = statOf(name);
        if (state === 'Z' || Number(ppid) !== parent) return [];
        const title = readFileSync(`/proc/${name}/cmdline`, 'utf8').replace(/\0+/g, ' ').trim();
        return [{ pid: Number(name), title }];
      } catch {
        return [];
      }
    });
}

/** Whether a process runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    return statOf(String(pid))[0] !== 'Z';
  } catch {
    return false;
  }
}

/** A field of /proc/<pid>/status, for example `Uid`, with its values. */
export function statusOf(pid: number, field: string): string[] {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${field}:`));
  return (
    line
      ?.slice(field.length + 1)
      .trim()
      .split(/\s+/)
      .filter(Boolean) ?? []
  );
}

/** The environment a process was started with, as text. */
export function environmentOf(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, 'utf8').replaceAll('\0', '\n');
}

/** The fields behind the name, which may hold anything. */
function statOf(pid: string): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}
