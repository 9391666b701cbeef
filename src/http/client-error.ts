import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';
import { StorageError } from '../errors/storage-error.js';
import { loggerFor } from '../observability/logger.js';
import { toProblem } from './problem.js';
import { SECURITY_HEADER_LINES } from './security-headers.js';

const log = loggerFor('http');

/** For the client to read the answer and close its side, in ms. */
const LINGER_MS = 5_000;

/**
 * Answers what is not even HTTP (a broken request line, headers too large or too slow). There is no
 * request to speak of at that point, so this writes to the socket and closes it.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  log.debug('Not an HTTP request', { err: error, peer: socket.remoteAddress });
  if (!socket.writable || socket.bytesWritten > 0) {
    // An earlier answer on this connection may be half written.
    socket.destroy();
    return;
  }
  const { status, message } = meaningOf(error);
  const { body } = toProblem(new StorageError('INVALID_ARGUMENT', message));
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
      'Content-Type: application/problem+json; charset=utf-8\r\n' +
      `${SECURITY_HEADER_LINES}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  // Destroyed at once, bytes still unread would turn the answer into a reset (RFC 9112, 9.6); never destroyed, a
  // client that does not close its side would hold the descriptor for ever.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

function meaningOf(error: NodeJS.ErrnoException): { status: number; message: string } {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, message: 'The request headers did not arrive in time' };
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, message: 'The request headers are too large' };
    default:
      return { status: 400, message: 'Not a valid HTTP request' };
  }
}
