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

/** Single fields of the `struct statx` at `at` (statx(2)); the layout is the same on every little-endian architecture. */
export const statx = {
  mode: (bytes: Buffer, at: number): number => bytes.readUInt16LE(at + 28),
  ino: (bytes: Buffer, at: number): bigint => bytes.readBigUInt64LE(at + 32),
  size: (bytes: Buffer, at: number): number => uint64(bytes, at + 40),
  ctimeNs: (bytes: Buffer, at: number): bigint => timestampNs(bytes, at + 96),
  mtimeNs: (bytes: Buffer, at: number): bigint => timestampNs(bytes, at + 112),
  dev: (bytes: Buffer, at: number): bigint =>
    (BigInt(bytes.readUInt32LE(at + 136)) << 32n) | BigInt(bytes.readUInt32LE(at + 140)),
};

/** All of it. */
export function decodeStatx(bytes: Buffer): Stat {
  return {
    nlink: bytes.readUInt32LE(16),
    uid: bytes.readUInt32LE(20),
    gid: bytes.readUInt32LE(24),
    mode: statx.mode(bytes, 0),
    ino: statx.ino(bytes, 0),
    size: statx.size(bytes, 0),
    blocks: uint64(bytes, 48),
    atimeNs: timestampNs(bytes, 64),
    ctimeNs: statx.ctimeNs(bytes, 0),
    mtimeNs: statx.mtimeNs(bytes, 0),
    dev: statx.dev(bytes, 0),
  };
}

/** Exact up to 2^53. */
function uint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

function timestampNs(bytes: Buffer, at: number): bigint {
  return bytes.readBigInt64LE(at) * 1_000_000_000n + BigInt(bytes.readUInt32LE(at + 8));
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
