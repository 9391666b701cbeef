import { calls, sync } from '../../../native/calls.js';
import { Errno, isErrno } from '../../../native/errno.js';
import { MAX_PROJECT_ID } from '../../../native/file-attributes.js';

/**
 * What is kept on the directory of a project itself. Attributes of this kind are readable and writable with
 * CAP_SYS_ADMIN only, so that no tenant sets them, and are charged to nobody's quota.
 */
const LIMIT = 'trusted.storage_proxy.hard_bytes';
const PROJECT = 'trusted.storage_proxy.project_id';

/** No room for it, or a filesystem image that takes no such attributes: the limit is a help for repairs, and no more. */
const DISPENSABLE = [Errno.ENOSPC, Errno.EDQUOT, Errno.EOPNOTSUPP];
const COUNT = /^[1-9]\d{0,15}$/;

/**
 * The limit that was last asked for. The kernel enforces its own record; but that goes when the quota files are rebuilt
 * or the data is restored elsewhere, and this stays, for `quota check`. `null`: nobody asked for one.
 */
export async function recordLimit(fd: number, hardBytes: number | null): Promise<void> {
  try {
    await put(fd, LIMIT, hardBytes);
    await calls.fsync(fd);
  } catch (error) {
    if (!isErrno(error, ...DISPENSABLE)) throw error;
  }
}

/**
 * The project that was made for the directory. Whoever owns a directory may give it any id, also that of somebody
 * else's project; only with this does an id say whose limit it is. The caller syncs.
 */
export async function recordProject(fd: number, projectId: number | null): Promise<void> {
  await put(fd, PROJECT, projectId);
}

export async function recordedProject(fd: number): Promise<number | null> {
  return projectFrom(await calls.fgetxattr(fd, PROJECT).catch(missing));
}

/** Both at once; synchronous, for commands. */
export function recordsOf(fd: number): {
  readonly recordedProject: number | null;
  readonly recordedLimit: number | null;
} {
  return {
    recordedProject: projectFrom(attribute(fd, PROJECT)),
    recordedLimit: countFrom(attribute(fd, LIMIT)),
  };
}

function attribute(fd: number, name: string): Buffer | null {
  try {
    return sync.fgetxattr(fd, name);
  } catch (error) {
    return missing(error);
  }
}

async function put(fd: number, name: string, value: number | null): Promise<void> {
  if (value === null) await calls.fremovexattr(fd, name).catch(missing);
  else await calls.fsetxattr(fd, name, String(value));
}

function projectFrom(value: Buffer | null): number | null {
  const id = countFrom(value);
  return id !== null && id <= MAX_PROJECT_ID ? id : null;
}

function countFrom(value: Buffer | null): number | null {
  const text = value?.toString('latin1') ?? '';
  return COUNT.test(text) ? Number(text) : null;
}

function missing(error: unknown): null {
  if (isErrno(error, Errno.ENODATA, Errno.EOPNOTSUPP)) return null;
  throw error;
}
