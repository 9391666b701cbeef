import type { Uploads } from '../../volume/uploads/uploads.js';
import { tooManyBytes } from '../../volume/uploads/upload-request.js';
import { badOffsetHeader, offsetMismatch } from './tus-errors.js';
import type { RequestHeaders, TusExchange } from './tus-exchange.js';

const OFFSET = /^\d{1,16}$/;

/**
 * tus core protocol, PATCH: appends the body at `Upload-Offset`, which has to be where the upload stands, and returns the
 * new offset. Every byte of an upload comes this way, so it does not go through the library, whose objects and
 * streams for each request cost as much as taking 100 KiB.
 *
 * @throws StorageError whatever `Uploads.open` and `OpenUpload.receive` throw; OFFSET_MISMATCH; TOO_LARGE for a body that
 *   says it is longer than what is missing; INVALID_ARGUMENT for a header that is no offset
 */
export async function patchUpload(
  uploads: Uploads,
  exchange: TusExchange,
  headers: RequestHeaders,
): Promise<number> {
  const { request, signal } = exchange;
  const offset = givenOffset(headers['upload-offset']);
  const upload = await uploads.open(request, signal);
  try {
    if (upload.wasCompleted) exchange.noteChange();
    // "If the offsets do not match, the Server MUST respond with the 409 Conflict status without modifying the upload
    // resource."
    if (offset !== upload.offset) throw offsetMismatch(upload.offset, offset);
    if (offset + givenLength(headers) > request.sizeBytes) throw tooManyBytes(request.sizeBytes);
    return await upload.receive(exchange.openBody());
  } finally {
    await upload.close();
  }
}

function givenOffset(header: string | string[] | undefined): number {
  const text = Array.isArray(header) ? header.join(', ') : header?.trim();
  if (text === undefined || !OFFSET.test(text)) throw badOffsetHeader(text);
  return Number(text);
}

/** Of the body, in bytes; 0 where only its end will tell. */
function givenLength(headers: RequestHeaders): number {
  return Number(headers['content-length'] ?? 0);
}
