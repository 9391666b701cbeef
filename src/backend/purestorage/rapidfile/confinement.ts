import { open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, sep } from 'node:path';
import { landlockVersion } from '../../../native/landlock.js';
import type { Toolkit } from './toolkit.js';

/** Shared libraries and the loader: what packages put there is public. */
const LIBRARIES = ['/lib', '/lib32', '/lib64', '/usr/lib', '/usr/lib32', '/usr/lib64'];
/**
 * What programs read at their start: where libraries are, the time zone, and how many processors and how much memory
 * there are. Nothing else of /etc, /proc, /sys and /dev can be read, whatever link leads there.
 */
const START_UP = [
  '/etc/ld.so.cache',
  '/etc/localtime',
  '/proc/cpuinfo',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/filesystems',
  '/proc/sys/vm/overcommit_memory',
  '/sys/devices/system/cpu',
  '/dev/random',
  '/dev/urandom',
  '/dev/zero',
];
const WRITABLE = ['/dev/null'];
/** Directories that toolkits share with all other programs of the host. */
const SHARED_DIRECTORIES = /^(\/usr(\/local)?)?\/s?bin$/;
const ARCHITECTURES = ['x64', 'arm64'];
const FIRST_LINE_BYTES = 256;

/** Whether programs can be kept inside the trees they work on, and if not, why. */
export type Confinement =
  | {
      readonly kind: 'kernel';
      /** Files, and directories with all below them. */
      readonly readable: readonly string[];
      readonly writable: readonly string[];
    }
  | { readonly kind: 'none'; readonly reason: string };

export interface ConfinementSettings {
  readonly toolkit: Pick<Toolkit, 'directory' | 'pdu' | 'prm' | 'copy'>;
  readonly volumePath: string;
  /** What the toolkit needs beyond its own directory, as the operator says. */
  readonly readable: readonly string[];
}

/**
 * How programs of a toolkit can be confined on a volume: beside their trees they may read themselves, their libraries,
 * and the few files that any program reads when it starts; in none of which the volume may lie.
 */
export async function confinementFor(
  { toolkit, volumePath, readable }: ConfinementSettings,
  version: () => number = landlockVersion,
): Promise<Confinement> {
  if (!ARCHITECTURES.includes(process.arch)) {
    return { kind: 'none', reason: `it is not written for ${process.arch}` };
  }
  if (version() < 1) {
    return { kind: 'none', reason: 'this kernel has no Landlock, or it is switched off (lsm=)' };
  }
  const programs = [toolkit.pdu, toolkit.prm, toolkit.copy];
  const own = await Promise.all(programs.map((program) => ownPaths(program)));
  const wanted = [...LIBRARIES, ...START_UP, ...own.flat(), ...readable];
  const allowed = [...new Set(await Promise.all(wanted.map(resolved)))];
  const volume = await realpath(volumePath);
  const around = allowed.find((path) => isWithin(volume, path));
  if (around === undefined) return { kind: 'kernel', readable: allowed, writable: WRITABLE };
  return { kind: 'none', reason: `the volume lies in ${around}, which programs may read` };
}

function isWithin(path: string, directory: string): boolean {
  const below = directory.endsWith(sep) ? directory : `${directory}${sep}`;
  return path === directory || path.startsWith(below);
}

/** The program, its interpreter if it is a script, and the directory that is the toolkit's alone with the libraries beside it. */
async function ownPaths(program: string): Promise<string[]> {
  const file = await realpath(program);
  const directory = dirname(file);
  const interpreter = await interpreterOf(file);
  const paths = [file, ...(interpreter === undefined ? [] : [interpreter])];
  if (SHARED_DIRECTORIES.test(directory)) return paths;
  const beside = basename(directory) === 'bin' ? [join(dirname(directory), 'lib')] : [];
  return [...paths, directory, ...beside];
}

/** What the first line of a script names. */
async function interpreterOf(file: string): Promise<string | undefined> {
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(FIRST_LINE_BYTES), 0);
  const text = buffer.toString('latin1', 0, bytesRead);
  const path = /^#![ \t]*([^\s]+)/.exec(text)?.[1];
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

/** What is missing stays as it is, and is passed by later. */
async function resolved(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}
