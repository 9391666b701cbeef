import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { fromSystemError } from '../errors/from-system-error.js';
import { meterTransfer, type TransferMeter } from '../observability/metrics.js';
import type { OpenedFile } from '../volume/files/opened-file.js';

/** Managers fetch small files (logs, READMEs): one chunk is mostly the whole. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Answers with the file's content, and closes it. The length is announced and kept to: when the file
 * shrinks or cannot be read any more, the stream fails and Fastify cuts the connection.
 */
export async function sendFetched(
  reply: FastifyReply,
  volume: string,
  file: OpenedFile,
): Promise<void> {
  const meter = meterTransfer(volume, 'fetch');
  const body = Readable.from(chunksOf(volume, file, meter), { objectMode: false });
  body.once('close', () => {
    meter.close();
    void file.close();
  });
  await reply.type('application/octet-stream').header('content-length', file.sizeBytes).send(body);
}

async function* chunksOf(
  volume: string,
  file: OpenedFile,
  meter: TransferMeter,
): AsyncGenerator<Buffer> {
  for (let at = 0; at < file.sizeBytes;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, file.sizeBytes - at));
    const count = await file.read(chunk, at).catch((error: unknown) => {
      // Before the first chunk there is still an answer to give.
      throw fromSystemError(error, { volume });
    });
    if (count < chunk.length) throw new Error('the file became shorter while it was sent');
    yield chunk;
    meter.add(count);
    at += count;
  }
}
