import { realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { landlockVersion } from '../../../native/landlock.js';

/** Where programs, their libraries and their settings are. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc', '/proc', '/sys'];
const ARCHITECTURES = ['x64', 'arm64'];

/** Whether programs can be kept inside the trees they work on, and if not, why. */
export type Confinement =
  | { readonly kind: 'kernel'; readonly readable: readonly string[] }
  | { readonly kind: 'none'; readonly reason: string };

/**
 * How programs in `toolDirectory` can be confined on a volume: they may read their own directory and those of the
 * system, in none of which the volume may lie.
 */
export async function confinementFor(
  toolDirectory: string,
  volumePath: string,
  version: () => number = landlockVersion,
): Promise<Confinement> {
  if (!ARCHITECTURES.includes(process.arch)) {
    return { kind: 'none', reason: `it is not written for ${process.arch}` };
  }
  if (version() < 1) {
    return { kind: 'none', reason: 'this kernel has no Landlock, or it is switched off (lsm=)' };
  }
  const interpreter = dirname(dirname(await realpath(process.execPath)));
  const tools = await realpath(toolDirectory);
  // `bin` and the libraries beside it.
  const own = tools.endsWith(`${sep}bin`) ? [tools, join(dirname(tools), 'lib')] : [tools];
  const readable = [...SYSTEM, ...(interpreter === sep ? [] : [interpreter]), ...own];
  const volume = await realpath(volumePath);
  const around = readable.find((path) => volume === path || volume.startsWith(`${path}${sep}`));
  if (around === undefined) return { kind: 'kernel', readable };
  return { kind: 'none', reason: `the volume lies in ${around}, which programs may read` };
}
