import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { ConfigError } from './config-error.js';

const FILE_NAME = 'storage-proxy.toml';
/** Marks the root of a developer's checkout of the whole platform. */
const CHECKOUT_MARKER = 'BUILD_ROOT';

export interface ConfigLocation {
  /** From the command line; then nowhere else is looked. */
  readonly argvPath?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/**
 * The absolute path of the file to read: the one of the command line, else the one that
 * `BACKEND_CONFIG_FILE` names, else the first that exists of the places that the original looks at.
 *
 * @throws ConfigError that says where it looked
 */
export function findConfigFile({ argvPath, env, cwd }: ConfigLocation): string {
  if (argvPath) return existing(resolve(cwd, argvPath), 'the command line');
  const named = env['BACKEND_CONFIG_FILE'];
  if (named) return existing(resolve(cwd, named), 'BACKEND_CONFIG_FILE');
  const places = standardPlaces(cwd, env['HOME']);
  const found = places.find((place) => existsSync(place));
  if (found === undefined) {
    throw new ConfigError([
      `no configuration file: looked for ${places.join(', ')}; name one with -f FILE or BACKEND_CONFIG_FILE`,
    ]);
  }
  return found;
}

function existing(file: string, namedBy: string): string {
  if (existsSync(file)) return file;
  throw new ConfigError([
    `no configuration file: ${file}, named by ${namedBy}, does not exist; nowhere else was looked`,
  ]);
}

function standardPlaces(cwd: string, home: string | undefined): string[] {
  return [
    join(cwd, FILE_NAME),
    ...(home ? checkoutRoots(cwd, home).map((root) => join(root, FILE_NAME)) : []),
    ...(home ? [join(home, '.config/backend.ai', FILE_NAME)] : []),
    join('/etc/backend.ai', FILE_NAME),
  ];
}

/** Parents of the working directory, strictly below the home directory, that hold the marker. */
function checkoutRoots(cwd: string, home: string): string[] {
  const roots: string[] = [];
  for (let folder = dirname(cwd); isBelow(folder, home); folder = dirname(folder)) {
    if (existsSync(join(folder, CHECKOUT_MARKER))) roots.push(folder);
  }
  return roots;
}

function isBelow(folder: string, ancestor: string): boolean {
  const path = relative(ancestor, folder);
  return path !== '' && path !== '..' && !path.startsWith('../');
}
