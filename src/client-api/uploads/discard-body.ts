import type { IncomingMessage } from 'node:http';

/** How long, and for how many bytes, a client that is still sending is listened to after it was refused. */
const LINGER_MS = 10_000;
const LINGER_BYTES = 64 * 1024 * 1024;

/**
 * Reads and throws away the rest of a refused body. Closing at once would reset the connection and with it
 * take away the answer, which most clients read only after they have sent everything.
 */
export function discardBody(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let left = LINGER_BYTES;
  const giveUp = (): void => void request.destroy();
  const timer = setTimeout(giveUp, LINGER_MS);
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) giveUp();
  });
  request.once('close', () => clearTimeout(timer));
  request.resume();
}
