import type { BodySource } from '../../../volume/uploads/body-source.js';

/** How long, and for how many bytes, a client that is still sending is listened to after it was refused. */
const LINGER_MS = 10_000;
const LINGER_BYTES = 64 * 1024 * 1024;
/** A client that has sent nothing for so long, in ms, waits for the answer or for nothing. */
const SILENCE_MS = 5_000;

/**
 * Reads and throws away the rest of a refused body, beside its answer; a client that does not come to an end loses
 * its connection.
 */
export async function discardBody(body: BodySource): Promise<void> {
  await bodyDiscarded(body, LINGER_MS);
  if (!body.isComplete) body.destroy();
}

/**
 * The same before an answer that ends the connection: resolves when the body is over, or the client has had its time
 * or rests. Closing before would reset the connection and with it take away the answer, which most clients read only
 * after they have sent everything (RFC 9112, section 9.6).
 */
export async function bodyDiscarded(body: BodySource, silenceMs = SILENCE_MS): Promise<void> {
  if (body.isComplete || body.isDestroyed) return;
  await new Promise<void>((resolve) => {
    let left = LINGER_BYTES;
    const deadline = setTimeout(end, LINGER_MS);
    const silence = setTimeout(endIfSilent, silenceMs);
    body.open({ chunk: drop, end });

    function drop({ length }: Buffer): void {
      body.release(length);
      silence.refresh();
      left -= length;
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
      body.close();
      resolve();
    }
  });
}
