import { readFile } from 'node:fs/promises';
import { StorageError } from '../../errors/storage-error.js';
import { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { Attribute, readAttribute, readLimit, writeLimit } from './ceph-attributes.js';

/** The proxy's own directory on a volume; every volume has or gets one. */
const OWN_DIRECTORY = Buffer.from('.storage-proxy');
const OWN_MODE = 0o700;
const HERE = Buffer.from('.');
/** `ceph` is the kernel client, the other ceph-fuse. */
const CEPH_TYPES = ['ceph', 'fuse.ceph-fuse', 'fuse.ceph'];

/** What an evicted client's mount answers, for good. */
const EVICTED = [
  Errno.ENOENT,
  Errno.ESHUTDOWN,
  Errno.ENOTCONN,
  Errno.ECONNABORTED,
  Errno.EIO,
  Errno.EACCES,
  Errno.ESTALE,
];

/** What Ceph says of a volume's directory. */
export interface CephMount {
  /** `null` from clients that do not tell. */
  readonly clusterId: string | null;
  readonly pool: string | null;
}

/**
 * A client that was cut off from its cluster (blocklisted) answers like a directory that is missing or forbidden. So
 * before such an answer is believed the table of mounts is asked, which does not hang.
 *
 * @throws StorageError UNAVAILABLE with the remedy; else nothing, and the failure says what it says
 */
export async function explainDeadMount(
  volume: string,
  path: string,
  error: unknown,
): Promise<void> {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!isErrno(cause, ...EVICTED)) return;
  const type = await mountTypeAt(path);
  if (type === undefined || !CEPH_TYPES.includes(type)) return;
  throw unusable(
    volume,
    `the Ceph client mounted at ${path} is cut off from its cluster (${cause.code}): it was evicted or blocklisted, or its process has ended. Unmount it and mount it again`,
    error,
  );
}

/** @throws StorageError UNAVAILABLE when the directory is not on CephFS, or its client may not set quotas */
export async function checkCephMount(volume: string, path: string): Promise<CephMount> {
  using mount = await Beneath.open(path);
  const found = await mount.reading(HERE, async (fd) => ({
    bytes: await readAttribute(fd, Attribute.bytes),
    clusterId: await readAttribute(fd, Attribute.cluster),
    pool: await readAttribute(fd, Attribute.pool),
  }));
  if (found.bytes === null) {
    const type = (await mountTypeAt(path)) ?? 'a directory of another filesystem';
    throw unusable(
      volume,
      `${path} is not on CephFS but ${type}. Mount the Ceph filesystem there, by the kernel or ceph-fuse, or use backend = "vfs"`,
    );
  }
  await assertMaySetQuotas(volume, path, mount);
  return found;
}

/** Writes what is there already, to a directory that is nobody's but ours: Ceph checks the right to before it looks. */
async function assertMaySetQuotas(volume: string, path: string, mount: Beneath): Promise<void> {
  await mount.mkdir(OWN_DIRECTORY, OWN_MODE).catch(ignoreExisting);
  try {
    await mount.reading(OWN_DIRECTORY, async (fd) => {
      const limit = await readLimit(fd, Attribute.maxFiles);
      await writeLimit(fd, Attribute.maxFiles, limit ?? 0);
    });
  } catch (error) {
    if (!isErrno(error, Errno.EACCES, Errno.EPERM)) throw error;
    throw unusable(
      volume,
      `the Ceph client mounted at ${path} may not set quotas. Give its MDS capability the "p" flag, as in: ceph fs authorize <filesystem> client.<name> <directory> rwp; then mount it again`,
      error,
    );
  }
}

/** The type of the filesystem mounted at exactly this path (proc_pid_mountinfo(5)). */
async function mountTypeAt(path: string): Promise<string | undefined> {
  const wanted = path.length > 1 ? path.replace(/\/+$/, '') : path;
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const mounts = lines.flatMap((line) => {
    const [left, right] = line.split(' - ');
    const at = left?.split(' ')[4];
    const type = right?.split(' ')[0];
    return at !== undefined && type !== undefined && unescape(at) === wanted ? [type] : [];
  });
  return mounts.at(-1);
}

/** Blanks and backslashes stand as three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(parseInt(digits, 8)),
  );
}

function ignoreExisting(error: unknown): void {
  if (!isErrno(error, Errno.EEXIST)) throw error;
}

function unusable(volume: string, why: string, cause?: unknown): StorageError {
  return new StorageError(
    'UNAVAILABLE',
    `Volume "${volume}" cannot be used: ${why}`,
    { subject: 'volume', volume },
    { cause },
  );
}
