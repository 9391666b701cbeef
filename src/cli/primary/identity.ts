import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';

/** Who the workers run as; empty members mean "as the primary". */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

export interface IdentityRequest {
  /** Name or id from the configuration. */
  readonly user: string | number | undefined;
  readonly group: string | number | undefined;
  /** Whose owner is taken when nothing is configured: a file of the installation. */
  readonly installation: string;
}

/** Looks a name or number up in a user database: the fields of its line, or undefined. */
export type Lookup = (database: 'passwd' | 'group', key: string) => string[] | undefined;

/**
 * Who the workers should run as. Only root can give itself up, so for everybody else the answer is "as the
 * primary". A user without a group brings its own primary group.
 *
 * @throws Error naming the key, when there is no such user or group
 */
export function workerIdentity(
  { user, group, installation }: IdentityRequest,
  {
    isRoot = process.geteuid?.() === 0,
    lookup = getent,
  }: { isRoot?: boolean; lookup?: Lookup } = {},
): Identity {
  if (!isRoot) return {};
  if (user === undefined && group === undefined) {
    const { uid, gid } = statSync(installation);
    return uid === 0 ? {} : { uid, gid };
  }
  const account = user === undefined ? undefined : findUser('storage-proxy.user', user, lookup);
  const gid = group === undefined ? account?.gid : findGroup('storage-proxy.group', group, lookup);
  return {
    ...(account && { uid: account.uid }),
    ...(gid !== undefined && { gid }),
  };
}

/** The uid of a user named in the configuration. @throws Error naming `key` when there is none */
export function userId(key: string, user: string | number, lookup: Lookup = getent): number {
  return findUser(key, user, lookup).uid;
}

/** The same of a group. */
export function groupId(key: string, group: string | number, lookup: Lookup = getent): number {
  return findGroup(key, group, lookup);
}

function findUser(
  key: string,
  user: string | number,
  lookup: Lookup,
): { uid: number; gid?: number } {
  const entry = lookup('passwd', String(user));
  if (entry) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  // A number need not be known to the system, for example in a container.
  if (isNumber(user)) return { uid: Number(user) };
  throw new Error(`${key}: no such user: "${user}"`);
}

function findGroup(key: string, group: string | number, lookup: Lookup): number {
  if (isNumber(group)) return Number(group);
  const entry = lookup('group', String(group));
  if (entry) return Number(entry[2]);
  throw new Error(`${key}: no such group: "${group}"`);
}

function isNumber(name: string | number): boolean {
  return /^\d+$/.test(String(name));
}

/** By the system's own tool, because accounts may come from a directory service as well as from a file. */
function getent(database: 'passwd' | 'group', key: string): string[] | undefined {
  try {
    const line = execFileSync('getent', [database, key], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return line.trim().split(':');
  } catch {
    return undefined;
  }
}
