export type EntryType = 'FILE' | 'DIRECTORY' | 'SYMLINK';

/** One name of a directory listing, from lstat: links are shown, not followed. */
export interface Entry {
  /** Raw bytes of the last path component. */
  readonly name: Buffer;
  /** Sockets, FIFOs and devices are `FILE` on this wire (protocol section 2.5). */
  readonly type: EntryType;
  /** Full st_mode, type bits included. */
  readonly mode: number;
  /** st_size in bytes. */
  readonly sizeBytes: number;
  /** Nanoseconds since the epoch; some backends know whole seconds only. */
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
  /** Raw link target, for symlinks only. */
  readonly target?: Buffer;
}

export interface ListOptions {
  /** 0 means no limit. */
  readonly limit: number;
  /** Opaque position returned as `nextCursor` by an earlier call on the same directory; SystemError EINVAL when it is none. */
  readonly cursor?: string;
  /**
   * May be told of entries when they have been read, while others still are. The listing has them again, the very same
   * objects; it may have others too.
   */
  readonly onEntries?: ((entries: readonly Entry[]) => void) | undefined;
}

export interface Listing {
  /** In directory order. Entries that vanish while the directory is read are left out. */
  readonly entries: readonly Entry[];
  /** Set when entries remain. */
  readonly nextCursor?: string;
}

/** One regular file, directory or link (itself, not followed) met by `TreeOperations.scan`; a directory comes before its content. */
export interface ScannedEntry {
  /** Relative to the scanned directory. */
  readonly path: Buffer;
  readonly type: EntryType;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly dev: bigint;
  readonly ino: bigint;
  /**
   * All of a regular file, where `ScanOptions` asked for it and it could be had without waiting; mode, size and time
   * are then those of the file that was read.
   */
  readonly content?: Buffer | undefined;
}
