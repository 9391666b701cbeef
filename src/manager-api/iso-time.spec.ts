import fc from 'fast-check';
import { isoTime, isoTimeOf } from './iso-time.js';

describe('isoTime', () => {
  it.each([
    [0n, '1970-01-01T00:00:00+00:00'],
    [1_772_330_584_000_005_000n, '2026-03-01T02:03:04.000005+00:00'],
    [1_772_330_584_000_005_999n, '2026-03-01T02:03:04.000005+00:00'],
    [1_772_330_584_000_000_999n, '2026-03-01T02:03:04+00:00'],
    [-1n, '1969-12-31T23:59:59.999999+00:00'],
    [-1_000_000_000n, '1969-12-31T23:59:59+00:00'],
  ])('prints %d ns as %s', (ns, text) => {
    expect(isoTime(ns)).toBe(text);
  });

  it('prints whatever day and time as Date does', () => {
    const time = fc.integer({ min: Date.UTC(0, 0), max: Date.UTC(9999, 11, 31) });
    fc.assert(
      fc.property(fc.array(time), (times) => {
        for (const ms of times) {
          const text = new Date(ms).toISOString().replace(/\.000Z|Z/, '');
          expect(isoTimeOf(new Date(ms))).toBe(`${text}${text.includes('.') ? '000' : ''}+00:00`);
        }
      }),
    );
  });

  it('prints dates alike', () => {
    expect(isoTimeOf(new Date(1_772_330_584_120))).toBe('2026-03-01T02:03:04.120000+00:00');
  });
});
