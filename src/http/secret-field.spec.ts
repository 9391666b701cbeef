import { timingSafeEqual } from 'node:crypto';
import fc from 'fast-check';
import { secretField } from './secret-field.js';

/** Around the size of a field too. */
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.integer({ min: 0, max: 520 }).map((length) => 'x'.repeat(length)),
);

describe('secretField', () => {
  it('is the same for the same bytes only', () => {
    const scratch = secretField('what was there before', 'latin1');
    fc.assert(
      fc.property(texts, texts, (configured, other) => {
        const field = secretField(configured, 'utf8');
        for (const given of [configured, other]) {
          // As Node hands headers over.
          const header = Buffer.from(given).toString('latin1');
          const isEqual = timingSafeEqual(field, secretField(header, 'latin1', scratch));
          expect(isEqual).toBe(
            given === configured || Buffer.from(given).equals(Buffer.from(configured)),
          );
        }
      }),
    );
  });

  it.each([254, 255, 256, 1000])(
    'tells %i bytes from one more, and from their digest',
    (length) => {
      const text = 'a'.repeat(length);
      const field = secretField(text, 'utf8');
      expect(field.equals(secretField(text, 'latin1'))).toBe(true);
      expect(field.equals(secretField(`${text}a`, 'latin1'))).toBe(false);
      expect(field.equals(secretField(field.toString('latin1', 0, 32), 'latin1'))).toBe(false);
    },
  );
});
