import { bind, type NativeFunction } from './ffi.js';

/** glibc has no wrapper for openat2; the number is the same on every architecture. */
const SYS_openat2 = 437;
/** The same holds for quotactl_fd, which Linux has from 5.14 on. */
const SYS_quotactl_fd = 443;

const syscall = bind<[number, number, Buffer, Buffer, number]>(
  'openat2',
  'long syscall(long number, int dirfd, const void *path, const void *how, size_t size)',
);

const openat2: NativeFunction<[dirfd: number, path: Buffer, how: Buffer]> = {
  sync: (dirfd, path, how) => syscall.sync(SYS_openat2, dirfd, path, how, how.length),
  call: (dirfd, path, how) => syscall.call(SYS_openat2, dirfd, path, how, how.length),
};

const quotactlSyscall = bind<[number, number, number, number, Buffer]>(
  'quotactl',
  'long syscall(long number, int fd, unsigned int command, unsigned int id, void *address)',
);

const quotactlFd: NativeFunction<[fd: number, command: number, id: number, address: Buffer]> = {
  sync: (...args) => quotactlSyscall.sync(SYS_quotactl_fd, ...args),
  call: (...args) => quotactlSyscall.call(SYS_quotactl_fd, ...args),
};

/** What a `void *` parameter takes: a Buffer, or an address from `addressOf` into one that the caller keeps alive. */
export type Pointer = Buffer | number;

/** The C functions behind `calls.ts` and `sync.ts`, with their raw arguments. Paths end in NUL. */
export const functions = {
  openat2,
  openat: bind<[dirfd: number, name: Pointer, flags: number, mode: number]>(
    'openat',
    'int openat(int dirfd, const void *path, int flags, unsigned int mode)',
  ),
  statx: bind<[dirfd: number, name: Pointer, flags: number, mask: number, out: Buffer]>(
    'statx',
    'int statx(int dirfd, const void *path, int flags, unsigned int mask, void *buffer)',
  ),
  getdents64: bind<[fd: number, out: Buffer, size: number]>(
    'getdents64',
    'long getdents64(int fd, void *buffer, size_t count)',
  ),
  lseek: bind<[fd: number, offset: bigint | number, whence: number]>(
    'lseek',
    'int64_t lseek64(int fd, int64_t offset, int whence)',
  ),
  mkdirat: bind<[dirfd: number, name: Buffer, mode: number]>(
    'mkdirat',
    'int mkdirat(int dirfd, const void *path, unsigned int mode)',
  ),
  unlinkat: bind<[dirfd: number, name: Pointer, flags: number]>(
    'unlinkat',
    'int unlinkat(int dirfd, const void *path, int flags)',
  ),
  renameat2: bind<
    [oldDir: number, oldName: Buffer, newDir: number, newName: Buffer, flags: number]
  >(
    'renameat2',
    'int renameat2(int olddir, const void *oldpath, int newdir, const void *newpath, unsigned int flags)',
  ),
  linkat: bind<[oldDir: number, oldName: Buffer, newDir: number, newName: Buffer, flags: number]>(
    'linkat',
    'int linkat(int olddir, const void *oldpath, int newdir, const void *newpath, int flags)',
  ),
  symlinkat: bind<[target: Buffer, dirfd: number, name: Buffer]>(
    'symlinkat',
    'int symlinkat(const void *target, int dirfd, const void *path)',
  ),
  readlinkat: bind<[dirfd: number, name: Buffer, out: Buffer, size: number]>(
    'readlinkat',
    'long readlinkat(int dirfd, const void *path, void *buffer, size_t size)',
  ),
  fchmodat: bind<[dirfd: number, name: Buffer, mode: number, flags: number]>(
    'fchmodat',
    'int fchmodat(int dirfd, const void *path, unsigned int mode, int flags)',
  ),
  fchownat: bind<[dirfd: number, name: Buffer, uid: number, gid: number, flags: number]>(
    'fchownat',
    'int fchownat(int dirfd, const void *path, unsigned int uid, unsigned int gid, int flags)',
  ),
  utimensat: bind<[dirfd: number, name: Buffer, times: Buffer, flags: number]>(
    'utimensat',
    'int utimensat(int dirfd, const void *path, const void *times, int flags)',
  ),
  futimens: bind<[fd: number, times: Buffer]>(
    'futimens',
    'int futimens(int fd, const void *times)',
  ),
  fstatvfs: bind<[fd: number, out: Buffer]>('fstatvfs', 'int fstatvfs64(int fd, void *buffer)'),
  fgetxattr: bind<[fd: number, name: Buffer, value: Buffer, size: number]>(
    'fgetxattr',
    'long fgetxattr(int fd, const void *name, void *value, size_t size)',
  ),
  fsetxattr: bind<[fd: number, name: Buffer, value: Buffer, size: number, flags: number]>(
    'fsetxattr',
    'int fsetxattr(int fd, const void *name, const void *value, size_t size, int flags)',
  ),
  flistxattr: bind<[fd: number, names: Buffer, size: number]>(
    'flistxattr',
    'long flistxattr(int fd, void *names, size_t size)',
  ),
  fremovexattr: bind<[fd: number, name: Buffer]>(
    'fremovexattr',
    'int fremovexattr(int fd, const void *name)',
  ),
  flock: bind<[fd: number, operation: number]>('flock', 'int flock(int fd, int operation)'),
  fcntl: bind<[fd: number, command: number, argument: number]>(
    'fcntl',
    'int fcntl(int fd, int command, long argument)',
  ),
  ioctl: bind<[fd: number, request: number, argument: number]>(
    'ioctl',
    'int ioctl(int fd, unsigned long request, long argument)',
  ),
  /** The requests that take the address of a structure. */
  ioctlStruct: bind<[fd: number, request: number, argument: Buffer]>(
    'ioctl',
    'int ioctl(int fd, unsigned long request, void *argument)',
  ),
  quotactl: bind<[command: number, special: Buffer, id: number, address: Buffer]>(
    'quotactl',
    'int quotactl(unsigned int command, const void *special, unsigned int id, void *address)',
  ),
  quotactlFd,
  sendfile: bind<[out: number, file: number, offset: Buffer, count: number]>(
    'sendfile',
    'long sendfile64(int out, int in, void *offset, size_t count)',
  ),
  preadv2: bind<[fd: number, iovec: Buffer, count: number, offset: number, flags: number]>(
    'preadv2',
    'long preadv64v2(int fd, const void *iovec, int count, int64_t offset, int flags)',
  ),
  shutdown: bind<[socket: number, how: number]>('shutdown', 'int shutdown(int socket, int how)'),
  getsockopt: bind<[socket: number, level: number, name: number, out: Buffer, size: Buffer]>(
    'getsockopt',
    'int getsockopt(int socket, int level, int name, void *value, void *size)',
  ),
  copyFileRange: bind<
    [input: number, inOffset: Buffer, out: number, outOffset: Buffer, count: number, flags: number]
  >(
    'copy_file_range',
    'long copy_file_range(int in, void *inOffset, int out, void *outOffset, size_t count, unsigned int flags)',
  ),
  syncFileRange: bind<[fd: number, offset: number, length: number, flags: number]>(
    'sync_file_range',
    'int sync_file_range(int fd, int64_t offset, int64_t nbytes, unsigned int flags)',
  ),
  syncfs: bind<[fd: number]>('syncfs', 'int syncfs(int fd)'),
  prlimit: bind<[pid: number, resource: number, limit: Buffer, old: number]>(
    'prlimit',
    'int prlimit(int pid, int resource, const void *limit, void *old)',
  ),
  prctl: bind<[option: number, a: number, b: number, c: number, d: number]>(
    'prctl',
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  ),
} as const;
