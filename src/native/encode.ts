/** `struct open_how` of openat2(2). */
export function openHow(flags: number, mode: number, resolve: number): Buffer {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags >>> 0), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return how;
}

const NS_PER_SECOND = 1_000_000_000n;

/** `struct timespec[2]` of utimensat(2): access and modification time, nanoseconds since the epoch. */
export function timespecs(atimeNs: bigint, mtimeNs: bigint): Buffer {
  const times = Buffer.alloc(32);
  for (const [index, ns] of [atimeNs, mtimeNs].entries()) {
    // Before 1970 the nanosecond field still counts forward: floor, not truncate.
    const fraction = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
    times.writeBigInt64LE((ns - fraction) / NS_PER_SECOND, index * 16);
    times.writeBigInt64LE(fraction, index * 16 + 8);
  }
  return times;
}

/** A 64-bit offset passed by address, as sendfile(2) and copy_file_range(2) take it. */
export function offsetPointer(offset: number): Buffer {
  const pointer = Buffer.alloc(8);
  pointer.writeBigInt64LE(BigInt(offset));
  return pointer;
}
