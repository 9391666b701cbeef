import { access } from 'node:fs/promises';
import { StorageError } from '../../../errors/storage-error.js';
import { calls } from '../../../native/calls.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
} from '../../../native/constants.js';
import { Errno, isErrno } from '../../../native/errno.js';
import { mountOf } from '../../../native/mounts.js';

/** There only where the kernel was built with CONFIG_XFS_QUOTA. */
const KERNEL_QUOTA_FILE = '/proc/fs/xfs/xqmstat';
const EMPTY = Buffer.alloc(0);
const REMEDY =
  'Mount it with the option "pquota": unmount it first, since a remount accepts the option and changes nothing ' +
  '(for the root filesystem it is rootflags=pquota on the kernel command line)';

/**
 * Resolves when the filesystem at the mount path is XFS with project quotas that are enforced, and this process may
 * manage them. Nothing is written.
 *
 * @throws StorageError UNAVAILABLE: what was found, and the remedy
 */
export async function assertProjectQuota(volume: string, mountPath: string): Promise<void> {
  const problem = await findProblem(mountPath).catch((error: unknown) => {
    if (!isErrno(error)) throw error;
    return `${error.syscall} of ${mountPath} failed with ${error.code}`;
  });
  if (problem === undefined) return;
  throw new StorageError('UNAVAILABLE', `Volume "${volume}" cannot be used: ${problem}`, {
    subject: 'volume',
    volume,
  });
}

async function findProblem(mountPath: string): Promise<string | undefined> {
  const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const fd = await calls.openat(AT_FDCWD, Buffer.from(mountPath), flags);
  try {
    const mount = mountOf((await calls.statx(fd, EMPTY, AT_EMPTY_PATH)).dev);
    if (mount?.type !== 'xfs') {
      return `${mountPath} is ${mount?.type ?? 'a filesystem'}, not XFS. Use backend = "vfs", which has no quotas, or mount an XFS there`;
    }
    const state = await calls.quotaState(fd);
    if (!state?.accounting) {
      const found = mount.superOptions.find((option) => /quota|noenforce/.test(option));
      return `${mountPath} is XFS mounted without project quotas (${found ?? 'noquota'}). ${await remedy()}`;
    }
    if (!state.enforcing) {
      return `${mountPath} is XFS that counts per project but enforces no limit (pqnoenforce). ${REMEDY}`;
    }
    return await privilegeProblem(fd);
  } finally {
    await calls.close(fd);
  }
}

async function remedy(): Promise<string> {
  const kernelHasQuota = await access(KERNEL_QUOTA_FILE).then(
    () => true,
    () => false,
  );
  if (kernelHasQuota) return REMEDY;
  return 'This kernel was built without XFS quotas (CONFIG_XFS_QUOTA): use one that has them, then mount with "pquota"';
}

async function privilegeProblem(fd: number): Promise<string | undefined> {
  try {
    await calls.projectQuota(fd, 0);
    return undefined;
  } catch (error) {
    if (!isErrno(error, Errno.EPERM)) throw error;
    return `uid ${process.geteuid!()} may not manage project quotas (CAP_SYS_ADMIN). Run the agent and name its socket in the configuration, or run the workers as root`;
  }
}
