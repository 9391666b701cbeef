import type { EntryType } from '../../contract/entry.js';
import { ToolError } from './tool-error.js';
import type { ToolkitMajor } from './toolkit-version.js';

/** One line of `pls --json` (toolkit 1) or `pls --jsonlines` (toolkit 2). */
export interface ListedRecord {
  /** Last component of `path`. */
  readonly name: Buffer;
  readonly type: EntryType;
  /** Full st_mode, type bits included. */
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/**
 * The output does not say for certain what a name is: its bytes are no UTF-8 or were replaced, or a line break in
 * it cut the line. The directory has to be read otherwise.
 */
export class UncertainName extends Error {
  override readonly name = 'UncertainName';
}

const REPLACEMENT = '\ufffd';
const LONE_SURROGATE = /\p{Cs}/u;
const PERMISSIONS = 0o7777;
const BRACE = 0x7b;

/**
 * `filetype` is the format part of st_mode, as a number (16384 is a directory) or as its octal digits written as a
 * decimal number (40000): an integration corrected the second to the first after it had logged real output. No value
 * means one thing in one coding and another in the other.
 */
const TYPES = new Map<number, readonly [format: number, type: EntryType]>(
  (
    [
      [0o040000, 'DIRECTORY'],
      [0o120000, 'SYMLINK'],
      [0o100000, 'FILE'],
      // Pipes, devices and sockets are files on this wire.
      [0o010000, 'FILE'],
      [0o020000, 'FILE'],
      [0o060000, 'FILE'],
      [0o140000, 'FILE'],
    ] as const
  ).flatMap(([format, type]) => [
    [format, [format, type]] as const,
    [Number(format.toString(8)), [format, type]] as const,
  ]),
);

/** Throws UncertainName, or ToolError for what is no record at all. */
export function parseListedRecord(line: Buffer, major: ToolkitMajor): ListedRecord {
  const text = line.toString('utf8');
  const record = parseJson(line, text);
  const { path, filetype, size, mode, mtime, ctime } = record;
  const [format, type] = TYPES.get(Number(filetype)) ?? [];
  if (typeof path !== 'string' || format === undefined || type === undefined)
    throw unreadable(text);
  return {
    name: nameOf(path, text),
    type,
    mode: format | permissions(count(mode, text), major, text),
    sizeBytes: count(size, text),
    mtimeNs: nanoseconds(mtime, text),
    ctimeNs: nanoseconds(ctime, text),
  };
}

function parseJson(line: Buffer, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // A name with a line break that was not escaped leaves a line that begins like a record and is none.
    if (line[0] === BRACE) throw new UncertainName();
  }
  throw unreadable(text);
}

function nameOf(path: string, text: string): Buffer {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === '' || name === '.' || name === '..' || name.includes('\0')) throw unreadable(text);
  // A lone surrogate cannot have come from UTF-8 either.
  if (path.includes(REPLACEMENT) || LONE_SURROGATE.test(path)) throw new UncertainName();
  return Buffer.from(name);
}

/** Toolkit 1 writes the octal digits as a decimal number: 644 for 0o644. */
function permissions(mode: number, major: ToolkitMajor, text: string): number {
  if (major === 2) return mode & PERMISSIONS;
  const digits = String(mode);
  if (!/^[0-7]+$/.test(digits)) throw unreadable(text);
  return parseInt(digits, 8) & PERMISSIONS;
}

function count(value: unknown, text: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw unreadable(text);
}

/** Seconds since the epoch; a fraction is taken to the microsecond, which is what a JSON number can carry. */
function nanoseconds(value: unknown, text: string): bigint {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw unreadable(text);
  return BigInt(Math.round(value * 1e6)) * 1000n;
}

function unreadable(text: string): ToolError {
  return new ToolError(`its output cannot be understood: ${JSON.stringify(text.slice(0, 80))}`);
}
