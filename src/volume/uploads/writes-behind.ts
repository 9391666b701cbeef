import { statfs } from 'node:fs/promises';

/** statfs(2) `f_type` of network filesystems that send a file's pages on their own time: NFS, SMB. */
const WRITING_BEHIND = new Set([0x6969, 0xfe534d42, 0xff534d42]);

/**
 * Whether the filesystem of an open file may take bytes and find out later that the server has no room for them. Its
 * next write then fails in the place of those bytes, and with that the failure is told: a sync afterwards succeeds
 * although they are lost. Elsewhere a write that fails speaks for itself.
 */
export async function writesBehind(fd: number): Promise<boolean> {
  return WRITING_BEHIND.has((await statfs(`/proc/self/fd/${fd}`)).type);
}
