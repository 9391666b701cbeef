import { statfs } from 'node:fs/promises';

/**
 * statfs(2) `f_type` of filesystems whose unwritten bytes are in the page cache of this kernel and nowhere else, for as
 * long as it runs: ext4, XFS, btrfs, F2FS, bcachefs, ZFS, overlayfs, tmpfs.
 */
const KEPT_BY_THE_KERNEL = new Set([
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0xca451a4e, 0x2fc12fc1, 0x794c7630, 0x01021994,
]);

/** statfs(2) `f_type` of network filesystems that send a file's pages on their own time: NFS, SMB. */
const WRITING_BEHIND = new Set([0x6969, 0xfe534d42, 0xff534d42]);

/**
 * Whether the filesystem of an open file may take bytes and find out later that the server has no room for them. Its
 * next write then fails in the place of those bytes, and with that the failure is told: a sync afterwards succeeds
 * although they are lost. Elsewhere a write that fails speaks for itself.
 */
export async function writesBehind(fd: number): Promise<boolean> {
  return WRITING_BEHIND.has(await filesystemType(fd));
}

/**
 * Whether what a dead writer has left in an open file is there as long as this kernel runs. A client of a network
 * filesystem, or a FUSE daemon, takes its unwritten bytes with it when it is evicted, ends, or is mounted again:
 * the size of the file may include them all the same.
 */
export async function outlivesItsWriter(fd: number): Promise<boolean> {
  return KEPT_BY_THE_KERNEL.has(await filesystemType(fd));
}

async function filesystemType(fd: number): Promise<number> {
  return (await statfs(`/proc/self/fd/${fd}`)).type;
}
