import { assertProjectId } from './file-attributes.js';

/** The limits of one project; `null` where there is none. */
export interface QuotaLimits {
  readonly hardBytes: number | null;
  readonly softBytes: number | null;
  readonly hardInodes: number | null;
  readonly softInodes: number | null;
}

/** A project's record in the filesystem's quota file. */
export interface DiskQuota extends QuotaLimits {
  readonly projectId: number;
  readonly usedBytes: number;
  readonly usedInodes: number;
  /** Seconds since the epoch when the soft limit begins to bind; `null` while it is not exceeded. */
  readonly bytesGraceEndsAt: number | null;
  readonly inodesGraceEndsAt: number | null;
}

/** Whether the filesystem counts per project, and refuses what exceeds the limits. */
export interface QuotaState {
  readonly accounting: boolean;
  readonly enforcing: boolean;
}

/** `struct fs_disk_quota` (linux/dqblk_xfs.h), 112 bytes. */
const DISK_QUOTA_BYTES = 112;
const VERSION = 1;
const FLAG_PROJECT = 2;
const FLAGS_AT = 1;
const MASK_AT = 2;
const ID_AT = 4;
const HARD_BLOCKS_AT = 8;
const SOFT_BLOCKS_AT = 16;
const HARD_INODES_AT = 24;
const SOFT_INODES_AT = 32;
const USED_BLOCKS_AT = 40;
const USED_INODES_AT = 48;
const INODE_TIMER_AT = 56;
const BLOCK_TIMER_AT = 60;
const INODE_TIMER_HIGH_AT = 68;
const BLOCK_TIMER_HIGH_AT = 69;

const MASK = { softInodes: 0x1, hardInodes: 0x2, softBytes: 0x4, hardBytes: 0x8 } as const;
/** The timers have 40 bits; their upper 8 count only with this bit. */
const MASK_BIGTIME = 0x8000;

/** Limits and use of blocks are in units of 512 bytes, whatever the block size is. */
const UNIT_BYTES = 512;

/** `struct fs_quota_statv`; the caller says which version it understands. */
const STATE_BYTES = 160;
const STATE_VERSION = 1;
const STATE_FLAGS_AT = 2;
const PROJECT_ACCOUNTING = 0x10;
const PROJECT_ENFORCEMENT = 0x20;

export function emptyDiskQuota(): Buffer {
  const raw = Buffer.alloc(DISK_QUOTA_BYTES);
  raw[0] = VERSION;
  raw[FLAGS_AT] = FLAG_PROJECT;
  return raw;
}

export function decodeDiskQuota(raw: Buffer): DiskQuota {
  const count = (at: number): number => Number(raw.readBigUInt64LE(at));
  // The kernel rounds up to its blocks, over what a number holds exactly: so large a limit is as good as the largest.
  const limit = (at: number, unit: number): number | null =>
    Math.min(count(at) * unit, Number.MAX_SAFE_INTEGER) || null;
  const big = (raw.readUInt16LE(MASK_AT) & MASK_BIGTIME) !== 0;
  const timer = (at: number, highAt: number): number | null =>
    (big ? raw.readInt8(highAt) * 2 ** 32 + raw.readUInt32LE(at) : raw.readInt32LE(at)) || null;
  return {
    projectId: raw.readUInt32LE(ID_AT),
    hardBytes: limit(HARD_BLOCKS_AT, UNIT_BYTES),
    softBytes: limit(SOFT_BLOCKS_AT, UNIT_BYTES),
    hardInodes: limit(HARD_INODES_AT, 1),
    softInodes: limit(SOFT_INODES_AT, 1),
    usedBytes: count(USED_BLOCKS_AT) * UNIT_BYTES,
    usedInodes: count(USED_INODES_AT),
    bytesGraceEndsAt: timer(BLOCK_TIMER_AT, BLOCK_TIMER_HIGH_AT),
    inodesGraceEndsAt: timer(INODE_TIMER_AT, INODE_TIMER_HIGH_AT),
  };
}

/**
 * What Q_XSETQLIM takes to set the members that are given; `null` removes a limit. Bytes are rounded up to whole
 * units: rounded down, a small limit would become 0, which means none.
 *
 * Throws RangeError for a limit that is no positive safe integer, and for project 0: its limits would
 * become the default of every project that has none.
 */
export function encodeLimits(projectId: number, limits: Partial<QuotaLimits>): Buffer {
  assertProjectId(projectId);
  if (projectId === 0) throw new RangeError('limits of project 0 would apply to every project');
  const raw = emptyDiskQuota();
  raw.writeUInt32LE(projectId, ID_AT);
  let mask = 0;
  const put = (name: keyof QuotaLimits, at: number, unit: number): void => {
    const value = limits[name];
    if (value === undefined) return;
    mask |= MASK[name];
    raw.writeBigUInt64LE(BigInt(units(value, unit)), at);
  };
  put('hardBytes', HARD_BLOCKS_AT, UNIT_BYTES);
  put('softBytes', SOFT_BLOCKS_AT, UNIT_BYTES);
  put('hardInodes', HARD_INODES_AT, 1);
  put('softInodes', SOFT_INODES_AT, 1);
  raw.writeUInt16LE(mask, MASK_AT);
  return raw;
}

function units(value: number | null, unit: number): number {
  if (value === null) return 0;
  if (Number.isSafeInteger(value) && value > 0) return Math.ceil(value / unit);
  throw new RangeError(`not a limit: ${value}`);
}

export function emptyQuotaState(): Buffer {
  const raw = Buffer.alloc(STATE_BYTES);
  raw[0] = STATE_VERSION;
  return raw;
}

export function decodeQuotaState(raw: Buffer): QuotaState {
  const flags = raw.readUInt16LE(STATE_FLAGS_AT);
  return {
    accounting: (flags & PROJECT_ACCOUNTING) !== 0,
    enforcing: (flags & PROJECT_ENFORCEMENT) !== 0,
  };
}
