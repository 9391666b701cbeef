import type { Socket } from 'node:net';
import { sync } from '../../native/calls.js';
import { isErrno } from '../../native/errno.js';

/**
 * The descriptor below one of Node's TCP sockets, duplicated: Node may close its own at any time and the
 * kernel then gives the number to the next connection, which would receive the rest of our file.
 */
export class SocketDescriptor {
  private constructor(readonly fd: number) {}

  /** undefined where bytes must go through Node: TLS, and whatever has no TCP descriptor of its own. */
  static of(socket: Socket): SocketDescriptor | undefined {
    // `_handle` is not public, but nothing public tells the descriptor; without one we stream.
    const { _handle: handle } = socket as { _handle?: { fd?: unknown } | null };
    const fd = handle?.fd;
    if (handle?.constructor.name !== 'TCP' || typeof fd !== 'number' || fd < 0) return undefined;
    try {
      return new SocketDescriptor(sync.dup(fd));
    } catch (error) {
      // Out of descriptors: streaming needs none.
      if (isErrno(error)) return undefined;
      throw error;
    }
  }

  /** Ends the connection for the peer while our duplicate would keep it open, and wakes a blocked sender. */
  shutdown(): void {
    try {
      sync.shutdown(this.fd);
    } catch (error) {
      // ENOTCONN: the peer was faster.
      if (!isErrno(error)) throw error;
    }
  }

  /** Only after the last call on it has returned, and not when a socket of Node's owns it now. */
  close(): void {
    sync.close(this.fd);
  }
}
