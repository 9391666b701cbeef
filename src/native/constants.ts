import { constants as fs } from 'node:fs';

/**
 * Flags of the calls in `calls.ts`. Those that differ between architectures come from Node; the rest
 * are the same on x86-64 and arm64 (asm-generic/fcntl.h, linux/openat2.h, linux/fs.h).
 */
export const {
  O_RDONLY,
  O_WRONLY,
  O_RDWR,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_DIRECTORY,
  O_DSYNC,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_NOCTTY,
} = fs;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
/** The file server is asked, whatever is in memory. */
export const AT_STATX_FORCE_SYNC = 0x2000;
/** What is in memory will do: no file server is asked. */
export const AT_STATX_DONT_SYNC = 0x4000;
export const AT_EMPTY_PATH = 0x1000;

export const RESOLVE_NO_XDEV = 0x01;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;

export const RENAME_NOREPLACE = 1;

export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

export const SEEK_SET = 0;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFSOCK = 0o140000;

/** Part of every open of a name that a tenant controls: a FIFO or device must not block, nor become a terminal. */
export const O_TENANT = O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
