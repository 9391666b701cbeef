import { isUtf8 } from 'node:buffer';
import { StorageError } from '../errors/storage-error.js';

/** With the `u` flag a surrogate matches only when it is alone, not as half of a pair. */
const LONE_SURROGATE = /[\uD800-\uDFFF]/u;
const LONE_SURROGATES = new RegExp(LONE_SURROGATE, 'gu');
/** The escape of byte `b` is U+DC00 + b; only bytes ≥ 0x80 can be invalid UTF-8. */
const ESCAPE_BASE = 0xdc00;
const FIRST_ESCAPE = 0xdc80;
const LAST_ESCAPE = 0xdcff;

/**
 * Names on Linux are bytes; text on the wire carries bytes that are not UTF-8 as lone surrogates
 * U+DC80…DCFF, as Python's `surrogateescape` does, so that such entries can be listed, renamed and
 * deleted by clients. This is the way in.
 *
 * @throws StorageError INVALID_ARGUMENT for any other lone surrogate
 */
export function pathToBytes(text: string): Buffer {
  if (!LONE_SURROGATE.test(text)) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  let start = 0;
  for (const match of text.matchAll(LONE_SURROGATES)) {
    const unit = text.charCodeAt(match.index);
    if (unit < FIRST_ESCAPE || unit > LAST_ESCAPE) {
      throw new StorageError('INVALID_ARGUMENT', 'the path holds a surrogate that stands alone', {
        subject: 'request',
      });
    }
    parts.push(Buffer.from(text.slice(start, match.index), 'utf8'), Buffer.of(unit - ESCAPE_BASE));
    start = match.index + 1;
  }
  parts.push(Buffer.from(text.slice(start), 'utf8'));
  return Buffer.concat(parts);
}

/** The way out. `pathToBytes(bytesToPath(b))` equals `b` for every byte string. */
export function bytesToPath(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  let start = 0;
  let position = 0;
  while (position < bytes.length) {
    const length = sequenceLength(bytes, position);
    if (length > 0) {
      position += length;
    } else {
      text += bytes.toString('utf8', start, position);
      text += String.fromCharCode(ESCAPE_BASE + bytes[position]!);
      position += 1;
      start = position;
    }
  }
  return text + bytes.toString('utf8', start);
}

/** Bytes of the well-formed UTF-8 sequence at `position`, or 0 when there is none. */
function sequenceLength(bytes: Buffer, position: number): number {
  const first = bytes[position]!;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const sequence = bytes.subarray(position, position + length);
  // isUtf8 knows about overlong forms, surrogates and code points past U+10FFFF.
  return sequence.length === length && isUtf8(sequence) ? length : 0;
}
