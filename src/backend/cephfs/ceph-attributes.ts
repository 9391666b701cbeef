import { calls } from '../../native/calls.js';
import { Errno, isErrno } from '../../native/errno.js';

/**
 * Virtual extended attributes of directories (docs.ceph.com, "CephFS quotas" and "vxattrs"): decimal text. None of them
 * is listed, so each is asked for by name.
 */
export const Attribute = {
  maxBytes: 'ceph.quota.max_bytes',
  maxFiles: 'ceph.quota.max_files',
  /** Recursive sum of the sizes of files. */
  bytes: 'ceph.dir.rbytes',
  files: 'ceph.dir.rfiles',
  /** The directory itself is one of them. */
  directories: 'ceph.dir.rsubdirs',
  snapshots: 'ceph.dir.rsnaps',
  pool: 'ceph.dir.layout.pool_name',
  cluster: 'ceph.cluster_fsid',
} as const;

/**
 * How far the recursive figures are behind: the metadata server spreads them every five seconds, level by level.
 * Twice that covers a cluster that is well; one that is busy may take half a minute.
 */
export const LAG_SECONDS = 10;

/** `null` for an attribute that the directory does not have. Rejects with SystemError. */
export async function readAttribute(fd: number, name: string): Promise<string | null> {
  try {
    return (await calls.fgetxattr(fd, name)).toString('latin1');
  } catch (error) {
    if (isErrno(error, Errno.ENODATA, Errno.EOPNOTSUPP)) return null;
    throw error;
  }
}

/** The same as a number. */
export async function readCount(fd: number, name: string): Promise<number | null> {
  const value = await readAttribute(fd, name);
  return value === null ? null : Number(value);
}

/** `null` where no limit is set: the attribute is missing, or 0 when the other limit is set. */
export async function readLimit(fd: number, name: string): Promise<number | null> {
  return (await readCount(fd, name)) || null;
}

/** 0 removes the limit, which fremovexattr(2) would not. Rejects with EACCES for a client without the `p` flag. */
export function writeLimit(fd: number, name: string, limit: number): Promise<void> {
  return calls.fsetxattr(fd, name, String(limit));
}
