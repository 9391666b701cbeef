/** d_type of getdents64(2); 0 means that the filesystem does not say. */
export const DT_UNKNOWN = 0;
export const DT_DIR = 4;
export const DT_REG = 8;
export const DT_LNK = 10;

export interface Dirent {
  /** Raw bytes. */
  readonly name: Buffer;
  /** One of DT_*. */
  readonly type: number;
  /** Position after this entry, for lseek on the directory: opaque, may use all 64 bits. */
  readonly offset: bigint;
}

const DOT = 0x2e;

/** Decodes `length` bytes of `struct linux_dirent64` records; `.` and `..` are left out. Names are copied. */
export function decodeDirents(buffer: Buffer, length: number): Dirent[] {
  const entries: Dirent[] = [];
  for (let at = 0; at < length; at += buffer.readUInt16LE(at + 16)) {
    const nameStart = at + 19;
    const nameEnd = buffer.indexOf(0, nameStart);
    if (isDotOrDotDot(buffer, nameStart, nameEnd)) continue;
    entries.push({
      name: Buffer.from(buffer.subarray(nameStart, nameEnd)),
      type: buffer[at + 18]!,
      offset: buffer.readBigInt64LE(at + 8),
    });
  }
  return entries;
}

function isDotOrDotDot(buffer: Buffer, start: number, end: number): boolean {
  if (buffer[start] !== DOT) return false;
  return end - start === 1 || (end - start === 2 && buffer[start + 1] === DOT);
}
