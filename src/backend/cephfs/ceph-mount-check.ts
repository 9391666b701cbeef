import { Beneath } from '../../native/beneath.js';
import { Errno, isErrno, type SystemError } from '../../native/errno.js';
import { readMounts, type Mount } from '../../native/mounts.js';
import { PROXY_DIRECTORY } from '../contract/proxy-directory.js';
import { lookAtMount, UnusableMount, type MountState } from '../posix/mount-check.js';
import { Attribute, readAttribute, readLimit, writeLimit } from './ceph-attributes.js';

const OWN_DIRECTORY = Buffer.from(PROXY_DIRECTORY);
const OWN_MODE = 0o700;
const HERE = Buffer.from('.');
/** `ceph` is the kernel client, the others are ceph-fuse. */
const CEPH_TYPES = ['ceph', 'fuse.ceph-fuse', 'fuse.ceph'];

/** What only a client answers that is cut off: at the top of a mount nothing can be missing. */
const CUT_OFF = [
  Errno.ENOENT,
  Errno.ESHUTDOWN,
  Errno.ENOTCONN,
  Errno.ECONNABORTED,
  Errno.EIO,
  Errno.ESTALE,
];
/** The kernel's answer for a mount whose ceph-fuse has ended, or was cut by fusectl. */
const PROCESS_ENDED = [Errno.ENOTCONN, Errno.ECONNABORTED];
const REFUSED = [Errno.EACCES, Errno.EPERM];

/** What Ceph says of a volume's directory. */
export interface CephMount extends MountState {
  /** `null` from clients that do not tell. */
  readonly clusterId: string | null;
  readonly pool: string | null;
}

/** Rejects with SystemError, or UnusableMount for what only CephFS has. */
export async function lookAtCephMount(path: string): Promise<CephMount> {
  try {
    const { hasLayoutMarker } = await lookAtMount(path);
    return { hasLayoutMarker, ...(await lookAtCluster(path)) };
  } catch (error) {
    if (isErrno(error, ...CUT_OFF, ...REFUSED)) await assertNotCutOff(path, error);
    throw error;
  }
}

async function lookAtCluster(path: string): Promise<Omit<CephMount, keyof MountState>> {
  using mount = await Beneath.open(path);
  const { bytes, ...found } = await mount.reading(HERE, async (fd) => ({
    bytes: await readAttribute(fd, Attribute.bytes),
    clusterId: await readAttribute(fd, Attribute.cluster),
    pool: await readAttribute(fd, Attribute.pool),
  }));
  if (bytes === null) {
    throw new UnusableMount(
      `${path} is not on CephFS but on ${mountAbove(path)?.type ?? 'another filesystem'}. Mount the Ceph filesystem there, by the kernel or ceph-fuse, or use backend = "vfs"`,
    );
  }
  await assertMaySetQuotas(path, mount);
  return found;
}

/** Writes what is there already, to a directory that is nobody's but ours: Ceph checks the right to before it looks. */
async function assertMaySetQuotas(path: string, mount: Beneath): Promise<void> {
  const { own, limit } = await openOwnDirectory(path, mount);
  using directory = own;
  await directory
    .reading(HERE, (fd) => writeLimit(fd, Attribute.maxFiles, limit ?? 0))
    .catch((error: unknown) => {
      if (!isErrno(error, ...REFUSED)) throw error;
      throw new UnusableMount(
        `the Ceph client mounted at ${mountPointOf(path)} may not set quotas. Give its MDS capability the "p" flag, as in: ceph fs authorize <filesystem> client.<name> <directory> rwp; then mount it again`,
        { cause: error },
      );
    });
}

/** With the limit of files it has, which takes the right to open it. */
async function openOwnDirectory(
  path: string,
  mount: Beneath,
): Promise<{ own: Beneath; limit: number | null }> {
  try {
    await mount.mkdir(OWN_DIRECTORY, OWN_MODE);
  } catch (error) {
    // That the user of this process may write was looked at before.
    if (isErrno(error, ...REFUSED)) throw mayNotWrite(path, error);
    if (!isErrno(error, Errno.EEXIST)) throw error;
  }
  const own = await mount.descend(OWN_DIRECTORY);
  try {
    return { own, limit: await own.reading(HERE, (fd) => readLimit(fd, Attribute.maxFiles)) };
  } catch (error) {
    own.close();
    if (isErrno(error, ...REFUSED)) throw belongsToAnother(path, error);
    throw error;
  }
}

/**
 * A client that its cluster has cut off answers like a directory that is dead, missing or forbidden: ceph-fuse with
 * ESHUTDOWN, the kernel's with EACCES. So the top of the mount is asked, which is never missing and which everybody
 * may stat.
 *
 * @throws UnusableMount with the remedy; else nothing, and the failure says what it says
 */
async function assertNotCutOff(path: string, cause: Error): Promise<void> {
  const mount = mountAbove(path);
  if (!mount || !CEPH_TYPES.includes(mount.type)) return;
  const answer = await failureOf(mount.mountPoint);
  if (answer === null) return;
  const hasEnded = PROCESS_ENDED.some((errno) => errno === answer.errno);
  const why = hasEnded ? 'its ceph-fuse process has ended' : 'it was evicted or blocklisted';
  throw new UnusableMount(
    `the Ceph client mounted at ${mount.mountPoint} is cut off from its cluster: ${why} (${answer.code}). Unmount it and mount it again`,
    { cause },
  );
}

/** How a mount fails because its client is cut off; `null` when it is not. */
async function failureOf(mountPoint: string): Promise<SystemError | null> {
  let refusals: readonly number[] = CUT_OFF;
  try {
    using top = await Beneath.open(mountPoint);
    refusals = [...CUT_OFF, ...REFUSED];
    await top.stat();
    refusals = CUT_OFF;
    await top.reading(HERE, (fd) => readAttribute(fd, Attribute.bytes));
    return null;
  } catch (error) {
    return isErrno(error, ...refusals) ? error : null;
  }
}

/** Through which a path leads, as the path is written; a table that is in memory and does not hang. */
function mountAbove(path: string): Mount | undefined {
  const above = readMounts().filter(
    ({ mountPoint }) => mountPoint === '/' || `${path}/`.startsWith(`${mountPoint}/`),
  );
  const deepest = Math.max(...above.map(({ mountPoint }) => mountPoint.length));
  return above.findLast(({ mountPoint }) => mountPoint.length === deepest);
}

function mountPointOf(path: string): string {
  return mountAbove(path)?.mountPoint ?? path;
}

function mayNotWrite(path: string, cause: unknown): UnusableMount {
  return new UnusableMount(
    `the Ceph client mounted at ${mountPointOf(path)} may not write. Give its MDS capability the flags "rwp", as in: ceph fs authorize <filesystem> client.<name> <directory> rwp; then mount it again`,
    { cause },
  );
}

function belongsToAnother(path: string, cause: unknown): UnusableMount {
  return new UnusableMount(
    `${path}/${OWN_DIRECTORY.toString()} belongs to another user than uid ${process.geteuid!()}. Give it, with all that is in it, to the user of the proxy`,
    { cause },
  );
}
