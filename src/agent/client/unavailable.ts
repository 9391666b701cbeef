import { isStorageError, StorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import { CodecError } from '../protocol/codec.js';
import { ProtocolError } from '../protocol/frame.js';
import { ImpostorError } from './agent-link.js';

/** Whether trying again would change nothing until somebody does something. */
export function isFinal(reason: Error): boolean {
  return (
    isStorageError(reason) ||
    reason instanceof ProtocolError ||
    reason instanceof ImpostorError ||
    isErrno(reason, Errno.EACCES, Errno.EPERM)
  );
}

/** Why the agent at `socket` did not answer, and what the operator can do. */
export function unavailable(socket: string, reason: Error): StorageError {
  return new StorageError(
    'UNAVAILABLE',
    `The agent at ${socket} cannot be used: ${explain(reason)}`,
    { subject: 'volume' },
    { cause: reason },
  );
}

function explain(reason: Error): string {
  if (reason instanceof CodecError) {
    return `its answer is not understood (${reason.message}). Run proxy and agent of the same release`;
  }
  if (!isErrno(reason)) return reason.message;
  switch (reason.errno) {
    case Errno.ENOENT:
      return 'there is no such socket. Start it: "storage-proxy agent", as root, with the same [agent] socket';
    case Errno.ECONNREFUSED:
      return 'nobody listens there. Start it: "storage-proxy agent", as root';
    case Errno.EACCES:
    case Errno.EPERM:
      return `uid ${process.geteuid?.()} may not connect. Set "group" of [agent] to a group of the proxy, and let the socket's directory be searched`;
    default:
      return `${reason.syscall} failed with ${reason.code}`;
  }
}
