/** Something to be put into an archive, as the walk met it. */
export interface ArchiveItem {
  /** Name in the archive, raw bytes, without a trailing slash. */
  readonly name: Buffer;
  /** Where it is below the directory the archive is made from. */
  readonly path: Buffer;
  readonly kind: 'directory' | 'file' | 'link';
  readonly mode: number;
  /** Of a link, its own. */
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  /** All of a file, where the walk has read it; mode, size and time are then those of what was read. */
  readonly content?: Buffer | undefined;
}
