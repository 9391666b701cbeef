import { readFileSync } from 'node:fs';
import type { Stat } from './stat.js';

/** A line of /proc/self/mountinfo, as far as anybody here asks (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly dev: Stat['dev'];
  readonly mountPoint: string;
  /** What of the filesystem is seen there: `/` unless a directory of it was bind-mounted. */
  readonly root: string;
  readonly type: string;
  /** The device, for filesystems that have one. */
  readonly source: string;
  /** Of the filesystem as a whole, where XFS shows its quota options. */
  readonly superOptions: readonly string[];
}

/** Every mount of this process's namespace, the latest last. */
export function readMounts(): Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'latin1'));
}

/** A mount of the filesystem that has this device number: the latest one. */
export function mountOf(dev: Stat['dev']): Mount | undefined {
  return readMounts().findLast((mount) => mount.dev === dev);
}

export function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , device = '', root = '', mountPoint = ''] = before.split(' ');
      const [type = '', source = '', options = ''] = after.split(' ');
      const [major = '0', minor = '0'] = device.split(':');
      return {
        dev: (BigInt(major) << 32n) | BigInt(minor),
        mountPoint: unescape(mountPoint),
        root: unescape(root),
        type,
        source: unescape(source),
        superOptions: options.split(','),
      };
    });
}

/** Blanks and backslashes are written as three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
