import { randomBytes } from 'node:crypto';
import type { ByteRange } from './byte-range.js';

/** A body is written piece by piece: bytes that we have, or a part of the file. */
export type BodyPart = Buffer | ByteRange;

/** Not a word that occurs in a file by chance, nor one that its author could foresee. */
export function newBoundary(): string {
  return randomBytes(16).toString('hex');
}

/** The body of a `multipart/byteranges` answer (RFC 9110, section 14.6): a header before each range, a closing line. */
export function multipartBody(
  ranges: readonly ByteRange[],
  size: number,
  contentType: string,
  boundary: string,
): BodyPart[] {
  const parts: BodyPart[] = [];
  let lead = '';
  for (const range of ranges) {
    const header =
      `${lead}--${boundary}\r\n` +
      `Content-Type: ${contentType}\r\n` +
      `Content-Range: ${contentRange(range, size)}\r\n\r\n`;
    parts.push(Buffer.from(header, 'latin1'), range);
    lead = '\r\n';
  }
  parts.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'));
  return parts;
}

/** `Content-Range` of one range. */
export function contentRange({ start, length }: ByteRange, size: number): string {
  return `bytes ${start}-${start + length - 1}/${size}`;
}

/** Exact length of a body in bytes. */
export function bodyLength(parts: readonly BodyPart[]): number {
  return parts.reduce((total, part) => total + part.length, 0);
}
