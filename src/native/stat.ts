import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './constants.js';

/** What statx(2) says of one inode. Sizes in bytes, times in nanoseconds since the epoch. */
export interface Stat {
  /** st_mode, type bits included. */
  readonly mode: number;
  readonly size: number;
  readonly ino: bigint;
  /** (major << 32) | minor: an identity to compare, not the kernel's dev_t encoding. */
  readonly dev: bigint;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Allocated space, 512-byte units. */
  readonly blocks: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export const STATX_BUFFER_BYTES = 256;
/** STATX_BASIC_STATS: everything stat(2) has. */
export const STATX_MASK = 0x7ff;

/** Decodes the `struct statx` at `at` (statx(2)); the layout is the same on every little-endian architecture. */
export function decodeStatx(buffer: Buffer, at = 0): Stat {
  return {
    nlink: buffer.readUInt32LE(at + 16),
    uid: buffer.readUInt32LE(at + 20),
    gid: buffer.readUInt32LE(at + 24),
    mode: buffer.readUInt16LE(at + 28),
    ino: buffer.readBigUInt64LE(at + 32),
    size: buffer.readUInt32LE(at + 40) + buffer.readUInt32LE(at + 44) * 2 ** 32,
    blocks: buffer.readUInt32LE(at + 48) + buffer.readUInt32LE(at + 52) * 2 ** 32,
    atimeNs: timestampNs(buffer, at + 64),
    ctimeNs: timestampNs(buffer, at + 96),
    mtimeNs: timestampNs(buffer, at + 112),
    dev: (BigInt(buffer.readUInt32LE(at + 136)) << 32n) | BigInt(buffer.readUInt32LE(at + 140)),
  };
}

function timestampNs(buffer: Buffer, offset: number): bigint {
  return buffer.readBigInt64LE(offset) * 1_000_000_000n + BigInt(buffer.readUInt32LE(offset + 8));
}

export function isDirectory(stat: { mode: number }): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

export function isRegularFile(stat: { mode: number }): boolean {
  return (stat.mode & S_IFMT) === S_IFREG;
}

export function isSymlink(stat: { mode: number }): boolean {
  return (stat.mode & S_IFMT) === S_IFLNK;
}

/** Whether two stats are of one inode: the test behind every "is it still the same file". */
export function isSameInode(a: Pick<Stat, 'dev' | 'ino'>, b: Pick<Stat, 'dev' | 'ino'>): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}
