import { LOCK_NB } from './constants.js';
import { define, nothing, unlessErrno } from './define.js';
import { openHow, offsetPointer, timespecs } from './encode.js';
import { Errno, isErrno } from './errno.js';
import { cString, type NativeFunction } from './ffi.js';
import { fileCalls, fileCallsSync } from './file-calls.js';
import { functions } from './functions.js';
import { projectDefinitions } from './project-calls.js';
import { decodeStatvfs, STATVFS_BUFFER_BYTES, type FilesystemStat } from './statvfs.js';
import { decodeDirents, type Dirent } from './dirent.js';
import { decodeStatx, STATX_BUFFER_BYTES, STATX_MASK, type Stat } from './stat.js';

const PATH_MAX = 4096;
/** ioctl_ficlone(2). */
const FICLONE = 0x40049409;
/** fcntl(2); the lowest number the copy may get keeps it away from the standard streams. */
const F_DUPFD_CLOEXEC = 1030;
const LOWEST_DUP = 3;
/** sync_file_range(2). */
const SYNC_FILE_RANGE_WRITE = 2;
/** Linux takes no longer value of an extended attribute (xattr(7)). */
const XATTR_SIZE_MAX = 64 * 1024;
/** A rename anywhere on the system can make openat2 answer EAGAIN while the path holds `..`. */
const MAX_AGAIN = 32;

const number = (result: number): number => result;

const openat2Again: NativeFunction<[number, Buffer, Buffer]> = {
  sync(...raw) {
    for (let attempt = 1; ; attempt++) {
      try {
        return functions.openat2.sync(...raw);
      } catch (error) {
        if (attempt >= MAX_AGAIN || !isErrno(error, Errno.EAGAIN)) throw error;
      }
    }
  },
  async call(...raw) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await functions.openat2.call(...raw);
      } catch (error) {
        if (attempt >= MAX_AGAIN || !isErrno(error, Errno.EAGAIN)) throw error;
      }
    }
  },
};

const definitions = {
  ...projectDefinitions,

  /** openat2(2): a new descriptor. */
  openat2: define(openat2Again)(
    (dirfd: number, path: Buffer, flags: number, mode?: number, resolve?: number) => [
      dirfd,
      cString(path),
      openHow(flags, mode ?? 0, resolve ?? 0),
    ],
    number,
  ),

  /** The same without trying again, for lookups that may be refused with EAGAIN. */
  openat2Once: define(functions.openat2)(
    (dirfd: number, path: Buffer, flags: number, mode: number, resolve: number) => [
      dirfd,
      cString(path),
      openHow(flags, mode, resolve),
    ],
    number,
  ),

  /** openat(2) of one component that a directory held open has: a new descriptor. */
  openat: define(functions.openat)(
    (dirfd: number, name: Buffer, flags: number, mode?: number) => [
      dirfd,
      cString(name),
      flags,
      mode ?? 0,
    ],
    number,
  ),

  /** statx(2) with AT_* flags. */
  statx: define(functions.statx)(
    (dirfd: number, name: Buffer, flags: number) => [
      dirfd,
      cString(name),
      flags,
      STATX_MASK,
      Buffer.alloc(STATX_BUFFER_BYTES),
    ],
    (_, raw): Stat => decodeStatx(raw[4]),
  ),

  /** getdents64(2) into `buffer` (at least 32 KiB): the next entries without `.` and `..`; `end` when none are left. */
  getdents: define(functions.getdents64)(
    (fd: number, buffer: Buffer) => [fd, buffer, buffer.length],
    (length, raw): { entries: Dirent[]; end: boolean } => ({
      entries: decodeDirents(raw[1], length),
      end: length === 0,
    }),
  ),

  mkdirat: define(functions.mkdirat)(
    (dirfd: number, name: Buffer, mode: number) => [dirfd, cString(name), mode],
    nothing,
  ),

  /** unlinkat(2); with AT_REMOVEDIR it removes an empty directory. */
  unlinkat: define(functions.unlinkat)(
    (dirfd: number, name: Buffer, flags?: number) => [dirfd, cString(name), flags ?? 0],
    nothing,
  ),

  renameat2: define(functions.renameat2)(
    (oldDir: number, oldName: Buffer, newDir: number, newName: Buffer, flags?: number) => [
      oldDir,
      cString(oldName),
      newDir,
      cString(newName),
      flags ?? 0,
    ],
    nothing,
  ),

  /** linkat(2); a final symlink is linked itself, not followed. */
  linkat: define(functions.linkat)(
    (oldDir: number, oldName: Buffer, newDir: number, newName: Buffer) => [
      oldDir,
      cString(oldName),
      newDir,
      cString(newName),
      0,
    ],
    nothing,
  ),

  symlinkat: define(functions.symlinkat)(
    (target: Buffer, dirfd: number, name: Buffer) => [cString(target), dirfd, cString(name)],
    nothing,
  ),

  readlinkat: define(functions.readlinkat)(
    (dirfd: number, name: Buffer) => [dirfd, cString(name), Buffer.alloc(PATH_MAX), PATH_MAX],
    (length, raw): Buffer => raw[2].subarray(0, length),
  ),

  /** fchmodat(2), which follows a final symlink: only for names that cannot be one, such as a directory held open. */
  fchmodat: define(functions.fchmodat)(
    (dirfd: number, name: Buffer, mode: number) => [dirfd, cString(name), mode, 0],
    nothing,
  ),

  /** fchownat(2) with AT_* flags. */
  fchownat: define(functions.fchownat)(
    (dirfd: number, name: Buffer, uid: number, gid: number, flags: number) => [
      dirfd,
      cString(name),
      uid,
      gid,
      flags,
    ],
    nothing,
  ),

  /** utimensat(2); times in nanoseconds since the epoch. */
  utimensat: define(functions.utimensat)(
    (dirfd: number, name: Buffer, atimeNs: bigint, mtimeNs: bigint, flags: number) => [
      dirfd,
      cString(name),
      timespecs(atimeNs, mtimeNs),
      flags,
    ],
    nothing,
  ),

  /** futimens(2): the times of an open file or directory, nanoseconds since the epoch. */
  futimens: define(functions.futimens)(
    (fd: number, atimeNs: bigint, mtimeNs: bigint) => [fd, timespecs(atimeNs, mtimeNs)],
    nothing,
  ),

  /** fstatvfs(3): what the filesystem of `fd` has room for. */
  fstatvfs: define(functions.fstatvfs)(
    (fd: number) => [fd, Buffer.alloc(STATVFS_BUFFER_BYTES)],
    (_, raw): FilesystemStat => decodeStatvfs(raw[1]),
  ),

  /** fgetxattr(2): the value of an extended attribute, ENODATA when there is none. Not for O_PATH descriptors, like its siblings. */
  fgetxattr: define(functions.fgetxattr)(
    (fd: number, name: string) => [
      fd,
      cString(Buffer.from(name)),
      Buffer.allocUnsafe(XATTR_SIZE_MAX),
      XATTR_SIZE_MAX,
    ],
    (length, raw): Buffer => Buffer.from(raw[2].subarray(0, length)),
  ),

  /** fsetxattr(2): makes the attribute or replaces its value. */
  fsetxattr: define(functions.fsetxattr)((fd: number, name: string, value: string | Buffer) => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    return [fd, cString(Buffer.from(name)), bytes, bytes.length, 0];
  }, nothing),

  /** flistxattr(2): the names of the extended attributes that the filesystem lists. */
  flistxattr: define(functions.flistxattr)(
    (fd: number) => [fd, Buffer.allocUnsafe(XATTR_SIZE_MAX), XATTR_SIZE_MAX],
    (length, raw): string[] =>
      raw[1]
        .toString('utf8', 0, length)
        .split('\0')
        .filter((name) => name !== ''),
  ),

  /** fremovexattr(2): ENODATA when there is none. */
  fremovexattr: define(functions.fremovexattr)(
    (fd: number, name: string) => [fd, cString(Buffer.from(name))],
    nothing,
  ),

  /** flock(2) without waiting: false when another open file description holds the lock. */
  flock: unlessErrno(
    define(functions.flock)(
      (fd: number, operation: number) => [fd, operation | LOCK_NB],
      (): boolean => true,
    ),
    Errno.EAGAIN,
    false,
  ),

  /** sendfile(2) from `offset` of `file`; its file position is not used. Bytes sent, or EAGAIN. */
  sendfile: define(functions.sendfile)(
    (out: number, file: number, offset: number, count: number) => [
      out,
      file,
      offsetPointer(offset),
      count,
    ],
    number,
  ),

  /** copy_file_range(2) at explicit offsets: bytes copied, 0 at the end of the input. */
  copyFileRange: define(functions.copyFileRange)(
    (input: number, inOffset: number, out: number, outOffset: number, count: number) => [
      input,
      offsetPointer(inOffset),
      out,
      offsetPointer(outOffset),
      count,
      0,
    ],
    number,
  ),

  /** Shares all blocks of `source` with the empty file `target` (ioctl_ficlone(2)); EOPNOTSUPP or EXDEV where it cannot. */
  ficlone: define(functions.ioctl)(
    (target: number, source: number) => [target, FICLONE, source],
    nothing,
  ),

  /** lseek(2): the resulting offset. ENXIO (6) from SEEK_DATA past the last data. */
  lseek: define(functions.lseek)(
    (fd: number, offset: number | bigint, whence: number) => [fd, offset, whence],
    number,
  ),

  /** A second, close-on-exec descriptor of the same open file description. */
  dup: define(functions.fcntl)((fd: number) => [fd, F_DUPFD_CLOEXEC, LOWEST_DUP], number),

  /** shutdown(2) of both directions of a socket: wakes whoever sends on it. */
  shutdown: define(functions.shutdown)((socket: number) => [socket, 2], nothing),

  /** sync_file_range(2), start only: writing back begins, nothing is waited for, nothing is durable by it. */
  startWriteback: define(functions.syncFileRange)(
    (fd: number, offset: number, length: number) => [fd, offset, length, SYNC_FILE_RANGE_WRITE],
    nothing,
  ),

  /** syncfs(2): everything on the filesystem of `fd`. */
  syncfs: define(functions.syncfs)((fd: number) => [fd], nothing),
};

type Definitions = typeof definitions;
type Calls = { [Name in keyof Definitions]: Definitions[Name]['call'] };
type SyncCalls = { [Name in keyof Definitions]: Definitions[Name]['sync'] };

function form(name: 'call' | 'sync'): Record<string, unknown> {
  const entries = Object.entries(definitions);
  return Object.fromEntries(entries.map(([key, definition]) => [key, definition[name]]));
}

/**
 * System calls on libuv's thread pool. Every promise rejects with SystemError. Names are raw bytes and,
 * but for `openat2` with RESOLVE flags, one component of a directory held open.
 */
export const calls = { ...(form('call') as Calls), ...fileCalls };

/** The same calls made at once on this thread: for worker threads, and where nothing can block. */
export const sync = { ...(form('sync') as SyncCalls), ...fileCallsSync };
