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
    const duplicate = duplicateOf(fd);
    // Without one more descriptor: streaming needs none.
    return duplicate === undefined ? undefined : new SocketDescriptor(duplicate);
  }

  /** A further descriptor, for a socket of Node's to own; undefined when the process is out of them. */
  duplicate(): number | undefined {
    return duplicateOf(this.fd);
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

  /** Only after the last call on it has returned. */
  close(): void {
    sync.close(this.fd);
  }
}

function duplicateOf(fd: number): number | undefined {
  try {
    return sync.dup(fd);
  } catch (error) {
    if (isErrno(error)) return undefined;
    throw error;
  }
}
