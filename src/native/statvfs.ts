/** What statvfs(3) says of a filesystem; the block counts are in units of `fragmentBytes`. */
export interface FilesystemStat {
  /** f_bsize: what the filesystem likes to be read in; on network filesystems far from the unit of the counts. */
  readonly blockBytes: number;
  /** f_frsize. */
  readonly fragmentBytes: number;
  readonly blocks: number;
  readonly blocksFree: number;
  /** Free for those who are not root. */
  readonly blocksAvailable: number;
}

export const STATVFS_BUFFER_BYTES = 128;

/** Decodes `struct statvfs64`; its leading fields are 64-bit words on x86-64 and arm64. */
export function decodeStatvfs(buffer: Buffer): FilesystemStat {
  const word = (index: number): number => Number(buffer.readBigUInt64LE(index * 8));
  return {
    blockBytes: word(0),
    fragmentBytes: word(1),
    blocks: word(2),
    blocksFree: word(3),
    blocksAvailable: word(4),
  };
}
