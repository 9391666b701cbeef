import fc from 'fast-check';
import { formatDuration, parseDuration } from './duration.js';
import { GrammarError } from './grammar-error.js';

describe('parseDuration', () => {
  it.each<[unknown, number]>([
    [10, 10_000],
    [0.25, 250],
    ['90', 90_000],
    ['1.5s', 1500],
    ['3m', 180_000],
    ['0.5h', 1_800_000],
    ['1d', 86_400_000],
    ['2 d', 172_800_000],
    ['1w', 604_800_000],
    ['0s', 0],
    ['-0s', 0],
  ])('reads %j as %d ms', (value, ms) => {
    expect(parseDuration(value)).toBe(ms);
  });

  it.each([
    ['1mo', '2026-01-31T00:00:00Z', 28],
    ['1mo', '2024-01-31T12:00:00Z', 29],
    ['2mo', '2026-07-15T00:00:00Z', 62],
    ['1yr', '2023-03-01T00:00:00Z', 366],
    ['1yr', '2024-02-29T00:00:00Z', 365],
    ['0mo', '2026-05-05T05:05:05Z', 0],
  ])('counts %s from %s as %d days', (text, from, days) => {
    expect(parseDuration(text, new Date(from))).toBe(days * 86_400_000);
  });

  it.each(['', 's', '1.5', '-1s', '-3', '1x', '1.5mo', '-1yr', 'infs', '1h30m', -1, NaN, null, {}])(
    'refuses %j',
    (value) => {
      expect(() => parseDuration(value)).toThrow(GrammarError);
    },
  );

  it('reads what it formats', () => {
    fc.assert(
      fc.property(fc.nat(), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 3);
      }),
    );
  });

  it('answers with a non-negative number or a GrammarError, whatever comes', () => {
    const duration = fc.stringMatching(/^[-+]?[0-9.e]{0,5} ?(?:yr|mo|[wdhms])?$/);
    fc.assert(
      fc.property(fc.oneof(duration, fc.anything()), (value) => {
        try {
          expect(parseDuration(value)).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(GrammarError);
        }
      }),
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [250, '0.25s'],
    [90_000, '90s'],
    [86_400_000, '1d'],
    [36 * 3_600_000, '36h'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
