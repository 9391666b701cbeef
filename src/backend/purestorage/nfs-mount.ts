import { readFile } from 'node:fs/promises';
import { StorageError } from '../../errors/storage-error.js';
import { Beneath } from '../../native/beneath.js';
import type { PureStorageOptions } from './purestorage.options.js';

/** One line of `/proc/self/mountinfo` (proc(5)). */
export interface Mount {
  readonly major: number;
  readonly minor: number;
  readonly type: string;
  readonly options: readonly string[];
}

/** Locks that stay on this host: other hosts would write into the uploads that this one holds (nfs(5)). */
const LOCAL_LOCKS = /^(nolock|local_lock=(all|flock|posix))$/;
/** What the server does not take in time is given up: a write that was accepted before is lost (nfs(5)). */
const GIVES_UP = /^(soft|softerr)$/;
/** With these a name that another proxy has just made is looked for on the server (nfs(5)). */
const FRESH_NAMES = /^(lookupcache=(pos|positive|none)|noac|actimeo=0)$/;

export function parseMountInfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const [, , device, , , options] = left?.split(' ') ?? [];
    const [type, , superOptions] = right?.split(' ') ?? [];
    if (device === undefined || type === undefined) return [];
    const [major = 0, minor = 0] = device.split(':').map(Number);
    const all = `${options ?? ''},${superOptions ?? ''}`.split(',');
    return [{ major, minor, type, options: all }];
  });
}

/**
 * Looks at how a volume is mounted, without asking the server. Resolves with what the operator should know although
 * it works.
 *
 * @throws StorageError UNAVAILABLE for what is no NFS mount, and for one whose locks do not reach other hosts
 */
export async function checkNfsMount(
  volume: string,
  path: string,
  { requireNfs, localLocks }: Pick<PureStorageOptions, 'requireNfs' | 'localLocks'>,
): Promise<string[]> {
  const mount = await mountOf(path);
  const isNfs = mount?.type === 'nfs' || mount?.type === 'nfs4';
  if (!isNfs) {
    if (!requireNfs) return [];
    throw unusable(
      volume,
      `${path} is not an NFS mount but ${mount?.type ?? 'unknown'}. Mount the export of the FlashBlade there`,
    );
  }
  const local = mount.options.find((option) => LOCAL_LOCKS.test(option));
  if (local !== undefined && localLocks === 'refuse') {
    throw unusable(
      volume,
      `${path} is mounted with "${local}", so other hosts do not see its locks. Mount it without, or set local_locks = "allow" if no other host serves this volume`,
    );
  }
  return mountWarnings(volume, mount.options);
}

/** What the operator should know of the options of an NFS mount that can be used. */
export function mountWarnings(volume: string, options: readonly string[]): string[] {
  const warnings: string[] = [];
  const soft = options.find((option) => GIVES_UP.test(option));
  if (soft !== undefined) {
    warnings.push(
      `Volume "${volume}" is mounted with "${soft}": while the file server does not answer, writes fail that a "hard" mount would carry out later. Mount it with "hard"`,
    );
  }
  if (!options.some((option) => FRESH_NAMES.test(option))) {
    warnings.push(
      `Volume "${volume}" is mounted without lookupcache=positive: when several hosts serve it, a folder that one makes may be missing for another for as long as its directory entries are cached (acdirmax)`,
    );
  }
  return warnings;
}

async function mountOf(path: string): Promise<Mount | undefined> {
  const directory = await Beneath.open(path);
  try {
    const { dev } = await directory.stat();
    const [major, minor] = [Number(dev >> 32n), Number(dev & 0xffffffffn)];
    const mounts = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
    return mounts.findLast((mount) => mount.major === major && mount.minor === minor);
  } finally {
    directory.close();
  }
}

function unusable(volume: string, why: string): StorageError {
  return new StorageError('UNAVAILABLE', `Volume "${volume}" cannot be used: ${why}`, {
    subject: 'volume',
    volume,
  });
}
