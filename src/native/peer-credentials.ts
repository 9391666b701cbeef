import type { Socket } from 'node:net';
import { Errno, isErrno } from './errno.js';
import { functions } from './functions.js';

/** socket(7); asm-generic numbers, the same on x86-64 and arm64. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
/** `struct ucred`: pid, uid, gid. */
const UCRED_BYTES = 12;
const GID_BYTES = 4;
/** NGROUPS_MAX of Linux is 65536, but whoever is in more groups than this is nobody's service account. */
const MAX_GROUPS = 1024;

/** Who was at the other end of a Unix socket when it was connected; the kernel vouches for it. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  /** The primary group and the supplementary ones. */
  readonly gids: readonly number[];
}

/**
 * The peer of a connected Unix socket (unix(7), SO_PEERCRED): of the server's end who called connect(2), of the
 * client's end who called listen(2). Throws Error for a socket that is closed or no Unix socket.
 */
export function peerCredentials(socket: Socket): PeerCredentials {
  const fd = descriptorOf(socket);
  const ucred = option(fd, SO_PEERCRED, UCRED_BYTES);
  const gid = ucred.readUInt32LE(8);
  return {
    pid: ucred.readInt32LE(0),
    uid: ucred.readUInt32LE(4),
    gids: [...new Set([gid, ...supplementaryGroups(fd)])],
  };
}

/** None on kernels before 4.13, which do not tell. */
function supplementaryGroups(fd: number): number[] {
  let groups: Buffer;
  try {
    groups = option(fd, SO_PEERGROUPS, MAX_GROUPS * GID_BYTES);
  } catch (error) {
    if (isErrno(error, Errno.ENOPROTOOPT, Errno.ERANGE)) return [];
    throw error;
  }
  return Array.from({ length: groups.length / GID_BYTES }, (_, index) =>
    groups.readUInt32LE(index * GID_BYTES),
  );
}

/** Blocks nothing: the kernel answers from the socket. */
function option(fd: number, name: number, maxBytes: number): Buffer {
  const value = Buffer.alloc(maxBytes);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(maxBytes);
  functions.getsockopt.sync(fd, SOL_SOCKET, name, value, size);
  return value.subarray(0, size.readUInt32LE(0));
}

function descriptorOf(socket: Socket): number {
  // `_handle` is not public, but nothing public tells the descriptor.
  const { _handle: handle } = socket as { _handle?: { fd?: unknown } | null };
  const fd = handle?.fd;
  if (typeof fd !== 'number' || fd < 0) throw new Error('The socket is not connected');
  return fd;
}
