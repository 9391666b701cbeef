/** `struct fsxattr` of ioctl_xfs_fsgetxattr(2): what XFS and ext4 keep of an inode beyond stat(2). */
export interface FileAttributes {
  /** 0: no project. */
  readonly projectId: number;
  /** Whether what is made in this directory gets its project id. */
  readonly inheritsProject: boolean;
  /** The structure as the kernel gave it, so that setting one field keeps the others. */
  readonly raw: Buffer;
}

/** The largest number that is a project id; the next one means "invalid" to the kernel. */
export const MAX_PROJECT_ID = 0xffff_fffe;

const FSXATTR_BYTES = 28;
const XFLAGS_AT = 0;
const PROJECT_ID_AT = 12;
const PROJECT_INHERIT = 0x200;

export function emptyFileAttributes(): Buffer {
  return Buffer.alloc(FSXATTR_BYTES);
}

export function decodeFileAttributes(raw: Buffer): FileAttributes {
  return {
    projectId: raw.readUInt32LE(PROJECT_ID_AT),
    inheritsProject: (raw.readUInt32LE(XFLAGS_AT) & PROJECT_INHERIT) !== 0,
    raw,
  };
}

/** `attributes` with another project. Throws RangeError for what is no project id: the FFI would wrap it. */
export function withProject(
  attributes: FileAttributes,
  projectId: number,
  inheritsProject: boolean,
): Buffer {
  assertProjectId(projectId);
  const raw = Buffer.from(attributes.raw);
  const flags = raw.readUInt32LE(XFLAGS_AT);
  const changed = inheritsProject ? flags | PROJECT_INHERIT : flags & ~PROJECT_INHERIT;
  raw.writeUInt32LE(changed >>> 0, XFLAGS_AT);
  raw.writeUInt32LE(projectId, PROJECT_ID_AT);
  return raw;
}

export function assertProjectId(id: number): void {
  if (Number.isInteger(id) && id >= 0 && id <= MAX_PROJECT_ID) return;
  throw new RangeError(`not a project id: ${id}`);
}
