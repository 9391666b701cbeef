import { isAscii, isUtf8 } from 'node:buffer';
import { S_IFDIR, S_IFMT } from '../../native/constants.js';

/**
 * The records of a ZIP file as bytes: PKWARE APPNOTE 6.3.10 (section numbers below are its), with the
 * extended-timestamp field of Info-ZIP. ZIP64 forms are used exactly where a value does not fit.
 */

export const STORED = 0;
export const DEFLATED = 8;

/** What both headers of an entry say. */
export interface ZipEntry {
  /** Raw bytes; a directory's end in `/`. */
  readonly name: Buffer;
  /** Full st_mode. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly method: typeof STORED | typeof DEFLATED;
}

/** Known after the data of an entry, or before it when the entry is small. */
export interface ZipSizes {
  readonly crc: number;
  readonly compressedBytes: number;
  readonly sizeBytes: number;
}

/** All bits set means "see the ZIP64 field", so it is itself out of range (4.4.8). */
const MAX_32 = 0xffff_ffff;
const MAX_16 = 0xffff;
const NOTHING_LARGE: readonly number[] = [];
/** In a local header both sizes are there, whatever they are: 0 until the descriptor tells (4.5.3). */
const LARGE_SIZES: readonly number[] = [0, 0];
const NO_SIZES: ZipSizes = { crc: 0, compressedBytes: 0, sizeBytes: 0 };

const FLAG_DESCRIPTOR = 0x0008;
const FLAG_UTF8 = 0x0800;
const VERSION_STORED = 10;
const VERSION_DEFLATED = 20;
const VERSION_ZIP64 = 45;
/** Upper byte 3: the external attributes hold a Unix mode (4.4.2). */
const MADE_BY_UNIX = (3 << 8) | VERSION_ZIP64;
const DOS_DIRECTORY = 0x10;

/**
 * 4.3.7. Without `sizes` they follow the data in a descriptor; `zip64` then says that they take 8 bytes
 * there, which must be decided before they are known.
 */
export function localHeader(entry: ZipEntry, sizes?: ZipSizes, zip64 = false): Buffer {
  const { name } = entry;
  const { crc, compressedBytes, sizeBytes } = sizes ?? NO_SIZES;
  const seconds = secondsOf(entry.mtimeNs);
  const large = zip64 ? LARGE_SIZES : NOTHING_LARGE;
  const header = Buffer.allocUnsafe(30 + name.length + extraBytes(seconds, large));
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(versionNeeded(entry, zip64), 4);
  header.writeUInt16LE(flags(entry, sizes === undefined), 6);
  header.writeUInt16LE(entry.method, 8);
  header.writeUInt32LE(dosTime(seconds), 10);
  header.writeUInt32LE(crc, 14);
  header.writeUInt32LE(zip64 ? MAX_32 : compressedBytes, 18);
  header.writeUInt32LE(zip64 ? MAX_32 : sizeBytes, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(header.length - 30 - name.length, 28);
  name.copy(header, 30);
  writeExtra(header, 30 + name.length, seconds, large);
  return header;
}

/** 4.3.9, with the signature that 4.3.9.3 recommends. */
export function dataDescriptor(
  { crc, compressedBytes, sizeBytes }: ZipSizes,
  zip64: boolean,
): Buffer {
  const record = Buffer.alloc(zip64 ? 24 : 16);
  record.writeUInt32LE(0x08074b50, 0);
  record.writeUInt32LE(crc, 4);
  if (zip64) {
    record.writeBigUInt64LE(BigInt(compressedBytes), 8);
    record.writeBigUInt64LE(BigInt(sizeBytes), 16);
  } else {
    record.writeUInt32LE(compressedBytes, 8);
    record.writeUInt32LE(sizeBytes, 12);
  }
  return record;
}

export interface CentralEntry extends ZipEntry, ZipSizes {
  /** Where the local header starts, bytes from the start of the archive. */
  readonly offset: number;
  /** Whether the sizes follow the data. */
  readonly hasDescriptor: boolean;
  /** Whether the local header has the ZIP64 form. */
  readonly zip64: boolean;
}

/** 4.3.12. */
export function centralHeader(entry: CentralEntry): Buffer {
  const { name, sizeBytes, compressedBytes, offset } = entry;
  // 4.5.3: the field holds only the values that do not fit, in this order.
  const isLarge = sizeBytes >= MAX_32 || compressedBytes >= MAX_32 || offset >= MAX_32;
  const large = isLarge
    ? [sizeBytes, compressedBytes, offset].filter((n) => n >= MAX_32)
    : NOTHING_LARGE;
  const seconds = secondsOf(entry.mtimeNs);
  const isDirectory = (entry.mode & S_IFMT) === S_IFDIR;
  const header = Buffer.allocUnsafe(46 + name.length + extraBytes(seconds, large));
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(MADE_BY_UNIX, 4);
  header.writeUInt16LE(versionNeeded(entry, entry.zip64 || isLarge), 6);
  header.writeUInt16LE(flags(entry, entry.hasDescriptor), 8);
  header.writeUInt16LE(entry.method, 10);
  header.writeUInt32LE(dosTime(seconds), 12);
  header.writeUInt32LE(entry.crc, 16);
  header.writeUInt32LE(Math.min(compressedBytes, MAX_32), 20);
  header.writeUInt32LE(Math.min(sizeBytes, MAX_32), 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(header.length - 46 - name.length, 30);
  // No comment, the only disk, no internal attributes.
  header.fill(0, 32, 38);
  header.writeUInt32LE(((entry.mode << 16) | (isDirectory ? DOS_DIRECTORY : 0)) >>> 0, 38);
  header.writeUInt32LE(Math.min(offset, MAX_32), 42);
  name.copy(header, 46);
  writeExtra(header, 46 + name.length, seconds, large);
  return header;
}

export interface CentralDirectoryExtent {
  readonly entries: number;
  /** Bytes from the start of the archive. */
  readonly offset: number;
  readonly lengthBytes: number;
}

/** What closes an archive: 4.3.16, before it 4.3.14 and 4.3.15 where a value does not fit. */
export function endOfArchive({ entries, offset, lengthBytes }: CentralDirectoryExtent): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, MAX_16), 8);
  end.writeUInt16LE(Math.min(entries, MAX_16), 10);
  end.writeUInt32LE(Math.min(lengthBytes, MAX_32), 12);
  end.writeUInt32LE(Math.min(offset, MAX_32), 16);
  if (entries < MAX_16 && lengthBytes < MAX_32 && offset < MAX_32) return end;

  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(BigInt(end64.length - 12), 4);
  end64.writeUInt16LE(MADE_BY_UNIX, 12);
  end64.writeUInt16LE(VERSION_ZIP64, 14);
  writeUint64s(end64, 24, [entries, entries, lengthBytes, offset]);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + lengthBytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}

function versionNeeded(entry: ZipEntry, zip64: boolean): number {
  if (zip64) return VERSION_ZIP64;
  const isDirectory = entry.name.at(-1) === 0x2f;
  return entry.method === DEFLATED || isDirectory ? VERSION_DEFLATED : VERSION_STORED;
}

/** A name that is not UTF-8 keeps its bytes and goes without the flag, as Unix archivers have it. */
function flags(entry: ZipEntry, hasDescriptor: boolean): number {
  const isUnicode = !isAscii(entry.name) && isUtf8(entry.name);
  return (hasDescriptor ? FLAG_DESCRIPTOR : 0) | (isUnicode ? FLAG_UTF8 : 0);
}

/** 4.4.6, in UTC: two seconds of precision, 1980 to 2107. The timestamp field is what Unix tools use. */
function dosTime(seconds: number): number {
  const date = new Date(seconds * 1000);
  const year = date.getUTCFullYear();
  if (!(year >= 1980)) return (1 << 21) | (1 << 16);
  if (year > 2107)
    return ((127 << 25) | (12 << 21) | (31 << 16) | (23 << 11) | (59 << 5) | 29) >>> 0;
  const day = ((year - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  const time =
    (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return ((day << 16) | time) >>> 0;
}

/** Since the epoch, towards it. */
function secondsOf(mtimeNs: bigint): number {
  return Number(mtimeNs / 1_000_000_000n);
}

/** Of the extra fields (4.5): header id and length, then the data. */
const EXTRA_HEADER_BYTES = 4;
/** Info-ZIP's `UT` field: a byte of flags, the modification time in seconds since the epoch. */
const TIMESTAMP_BYTES = EXTRA_HEADER_BYTES + 5;

/** The field has 32 bits for it. */
function hasTimestamp(seconds: number): boolean {
  return Math.abs(seconds) <= 0x7fff_ffff;
}

function extraBytes(seconds: number, large: readonly number[]): number {
  const zip64 = large.length === 0 ? 0 : EXTRA_HEADER_BYTES + 8 * large.length;
  return zip64 + (hasTimestamp(seconds) ? TIMESTAMP_BYTES : 0);
}

/** The ZIP64 field (4.5.3) with the values that do not fit elsewhere, then the timestamp. */
function writeExtra(
  target: Buffer,
  start: number,
  seconds: number,
  large: readonly number[],
): void {
  let at = start;
  if (large.length > 0) {
    at = target.writeUInt16LE(0x0001, at);
    at = target.writeUInt16LE(8 * large.length, at);
    at = writeUint64s(target, at, large);
  }
  if (!hasTimestamp(seconds)) return;
  at = target.writeUInt16LE(0x5455, at);
  at = target.writeUInt16LE(TIMESTAMP_BYTES - EXTRA_HEADER_BYTES, at);
  at = target.writeUInt8(1, at);
  target.writeInt32LE(seconds, at);
}

function writeUint64s(target: Buffer, start: number, values: readonly number[]): number {
  return values.reduce((at, value) => target.writeBigUInt64LE(BigInt(value), at), start);
}
