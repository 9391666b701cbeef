import type { IncomingMessage } from 'node:http';

/** How long, and for how many bytes, a client that is still sending is listened to after it was refused. */
const LINGER_MS = 10_000;
const LINGER_BYTES = 64 * 1024 * 1024;
/** A client that has sent nothing for so long, in ms, waits for the answer or for nothing. */
const SILENCE_MS = 5_000;

/**
 * Reads and throws away the rest of a refused body, beside its answer; a client that does not come to an end loses
 * its connection.
 */
export async function discardBody(request: IncomingMessage): Promise<void> {
  await bodyDiscarded(request, LINGER_MS);
  if (!request.complete) request.destroy();
}

/**
 * The same before an answer that ends the connection: resolves when the body is over, or the client has had its time
 * or rests. Closing before would reset the connection and with it take away the answer, which most clients read only
 * after they have sent everything (RFC 9112, section 9.6).
 */
export async function bodyDiscarded(
  request: IncomingMessage,
  silenceMs = SILENCE_MS,
): Promise<void> {
  if (request.complete || request.destroyed) return;
  await new Promise<void>((resolve) => {
    let left = LINGER_BYTES;
    const deadline = setTimeout(end, LINGER_MS);
    const silence = setTimeout(endIfSilent, silenceMs);
    request.on('data', drop);
    request.once('close', end);
    request.resume();

    function drop(chunk: Buffer): void {
      silence.refresh();
      left -= chunk.length;
      if (left < 0) end();
    }
    /** After this process stood still, what has come meanwhile is read first. */
    function endIfSilent(): void {
      const before = left;
      setImmediate(() => left === before && end());
    }
    function end(): void {
      clearTimeout(deadline);
      clearTimeout(silence);
      request.off('data', drop).off('close', end);
      resolve();
    }
  });
}
