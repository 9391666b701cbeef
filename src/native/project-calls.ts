import { release } from 'node:os';
import { AT_EMPTY_PATH } from './constants.js';
import { define, nothing, unlessErrno } from './define.js';
import {
  decodeDiskQuota,
  decodeQuotaState,
  emptyDiskQuota,
  emptyQuotaState,
  encodeLimits,
  type DiskQuota,
  type QuotaLimits,
  type QuotaState,
} from './disk-quota.js';
import { Errno, SystemError } from './errno.js';
import { cString, type NativeFunction } from './ffi.js';
import {
  assertProjectId,
  decodeFileAttributes,
  emptyFileAttributes,
  withProject,
  type FileAttributes,
} from './file-attributes.js';
import { functions } from './functions.js';
import { mountOf } from './mounts.js';
import { decodeStatx, STATX_BUFFER_BYTES, STATX_MASK } from './stat.js';

/** ioctl_xfs_fsgetxattr(2): numbers of x86-64 and arm64. */
const FS_IOC_FSGETXATTR = 0x801c_581f;
const FS_IOC_FSSETXATTR = 0x401c_5820;

/** quotactl(2): the command in the upper bits, project quota (2) in the lowest eight. */
const GET_QUOTA = 0x5803_02;
const SET_LIMITS = 0x5804_02;
const GET_STATE = 0x5808_02;
const GET_NEXT_QUOTA = 0x5809_02;

type QuotactlArgs = [fd: number, command: number, id: number, address: Buffer];

/** On a kernel that has it, ENOSYS says that the filesystem has no quota: the version decides, not the errno. */
const hasQuotactlFd = isAtLeast(release(), 5, 14);

/** By any descriptor of the filesystem that is not O_PATH; on older kernels by the device it is mounted from. */
const quotactl: NativeFunction<QuotactlArgs> = hasQuotactlFd
  ? functions.quotactlFd
  : {
      sync: (fd, command, id, address) =>
        functions.quotactl.sync(command, deviceOf(fd), id, address),
      call: (fd, command, id, address) =>
        functions.quotactl.call(command, deviceOf(fd), id, address),
    };

function deviceOf(fd: number): Buffer {
  const stat = Buffer.alloc(STATX_BUFFER_BYTES);
  functions.statx.sync(fd, cString(Buffer.alloc(0)), AT_EMPTY_PATH, STATX_MASK, stat);
  const mount = mountOf(decodeStatx(stat).dev);
  if (mount === undefined) throw new SystemError(Errno.ENODEV, 'quotactl');
  return cString(Buffer.from(mount.source));
}

export function isAtLeast(kernelRelease: string, major: number, minor: number): boolean {
  const [ours = 0, its = 0] = kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  return ours > major || (ours === major && its >= minor);
}

/** Project ids of files and directories, and what the filesystem keeps of each project. Descriptors must not be O_PATH. */
export const projectDefinitions = {
  /** FS_IOC_FSGETXATTR; ENOTTY or EOPNOTSUPP on filesystems without. */
  fileAttributes: define(functions.ioctlStruct)(
    (fd: number) => [fd, FS_IOC_FSGETXATTR, emptyFileAttributes()],
    (_, raw): FileAttributes => decodeFileAttributes(raw[2]),
  ),

  /** FS_IOC_FSSETXATTR: gives the inode of `fd` another project and leaves its other attributes as they were read. */
  setProject: define(functions.ioctlStruct)(
    (fd: number, attributes: FileAttributes, projectId: number, inherits: boolean) => [
      fd,
      FS_IOC_FSSETXATTR,
      withProject(attributes, projectId, inherits),
    ],
    nothing,
  ),

  /** Q_XGETQSTATV, for which no privilege is needed; `null` where the filesystem has no quota switched on. */
  quotaState: unlessErrno(
    define(quotactl)(
      (fd: number) => [fd, GET_STATE, 0, emptyQuotaState()],
      (_, raw): QuotaState | null => decodeQuotaState(raw[3]),
    ),
    Errno.ENOSYS,
    null,
  ),

  /** Q_XGETQUOTA; `null` for a project that has neither limits nor anything charged to it. EPERM without CAP_SYS_ADMIN. */
  projectQuota: unlessErrno(
    define(quotactl)(
      (fd: number, projectId: number) => [fd, GET_QUOTA, checked(projectId), emptyDiskQuota()],
      (_, raw): DiskQuota | null => decodeDiskQuota(raw[3]),
    ),
    Errno.ENOENT,
    null,
  ),

  /** Q_XGETNEXTQUOTA: the record with the smallest id from `projectId` on; `null` when there is none. */
  nextProjectQuota: unlessErrno(
    define(quotactl)(
      (fd: number, projectId: number) => [fd, GET_NEXT_QUOTA, checked(projectId), emptyDiskQuota()],
      (_, raw): DiskQuota | null => decodeDiskQuota(raw[3]),
    ),
    Errno.ENOENT,
    null,
  ),

  /** Q_XSETQLIM of the members given. The filesystem rounds up to its blocks. */
  setProjectLimits: define(quotactl)(
    (fd: number, projectId: number, limits: Partial<QuotaLimits>) => [
      fd,
      SET_LIMITS,
      projectId,
      encodeLimits(projectId, limits),
    ],
    nothing,
  ),
};

function checked(projectId: number): number {
  assertProjectId(projectId);
  return projectId;
}
