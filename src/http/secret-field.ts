import { hash } from 'node:crypto';

/** Longer than secrets are; a byte of it tells the length of what lies before. */
const FIELD_BYTES = 256;
const LENGTH_AT = FIELD_BYTES - 1;

/**
 * A text in a field of a size that all have, so that `timingSafeEqual` of two fields takes the same time whatever they
 * hold, lengths included. Of a text that does not fit, the field holds the SHA-256, and the length 0, which no text of
 * that content has. Making a field costs a tenth of making a digest, and it is made with every request.
 *
 * @param field overwritten and returned
 */
export function secretField(
  text: string,
  encoding: 'latin1' | 'utf8',
  field: Buffer = Buffer.alloc(FIELD_BYTES),
): Buffer {
  field.fill(0);
  if (Buffer.byteLength(text, encoding) <= LENGTH_AT) {
    field[LENGTH_AT] = field.write(text, encoding);
  } else {
    hash('sha256', Buffer.from(text, encoding), 'buffer').copy(field);
  }
  return field;
}
