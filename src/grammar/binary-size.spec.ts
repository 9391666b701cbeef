import fc from 'fast-check';
import { formatBinarySize, formatBinarySizeShort, parseBinarySize } from './binary-size.js';
import { GrammarError } from './grammar-error.js';

describe('parseBinarySize', () => {
  it.each<[unknown, number]>([
    ['1024', 1024],
    ['1_024', 1024],
    [' 1024 ', 1024],
    ['+7', 7],
    ['10k', 10_240],
    ['10 k', 10_240],
    ['10K', 10_240],
    ['10kb', 10_240],
    ['10KiB', 10_240],
    ['10 kib', 10_240],
    ['10kbyte', 10_240],
    ['10 kibytes', 10_240],
    ['1.5g', 1_610_612_736],
    ['1.5 GiB', 1_610_612_736],
    ['.5k', 512],
    ['5 b', 5],
    ['5 byte', 5],
    ['5 bytes', 5],
    ['5 ib', 5],
    ['2.0', 2],
    ['2.0e3', 2000],
    ['1e3k', 1_024_000],
    ['-5k', -5120],
    ['0.0001k', 0],
    ['-0.0001k', 0],
    ['1y', 2 ** 80],
    [0, 0],
    [2048, 2048],
    [1e21, 1e21],
    [10n, 10],
  ])('reads %j as %d', (text, bytes) => {
    expect(parseBinarySize(text)).toBe(bytes);
  });

  it.each([
    '5b',
    '5bytes',
    '1.5',
    '10ki',
    'k',
    '',
    ' ',
    'b',
    '0x10',
    'nan',
    'nank',
    '1e3',
    '--5k',
    '1e999k',
    '5\tb',
    1.5,
    NaN,
    Infinity,
    null,
    undefined,
    true,
    {},
    [],
  ])('refuses %j', (value) => {
    expect(() => parseBinarySize(value)).toThrow(GrammarError);
  });

  it.each(['inf', 'Infinite', 'INFINITY'])('takes %s only where it is allowed', (word) => {
    expect(parseBinarySize(word, { allowInfinity: true })).toBe(Infinity);
    expect(() => parseBinarySize(word)).toThrow('must be a finite size');
  });

  it('reads what the formats write, to two decimals', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        const slack = Math.max(0, bytes * 0.005);
        for (const text of [formatBinarySize(bytes), formatBinarySizeShort(bytes)]) {
          expect(Math.abs(parseBinarySize(text) - bytes)).toBeLessThanOrEqual(slack);
        }
      }),
    );
  });

  it('scales whole amounts exactly', () => {
    fc.assert(
      fc.property(fc.nat(8191), fc.nat(3), (amount, power) => {
        expect(parseBinarySize(`${amount}${'kmgt'.charAt(power)}`)).toBe(
          amount * 1024 ** (power + 1),
        );
      }),
    );
  });

  it('answers with a whole number or a GrammarError, whatever comes', () => {
    const size = fc.stringMatching(/^[-+ ]?[0-9._e]{0,6} ?[kmgKMibytes]{0,4}$/);
    fc.assert(
      fc.property(fc.oneof(size, fc.anything()), (value) => {
        try {
          expect(Number.isInteger(parseBinarySize(value))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(GrammarError);
        }
      }),
    );
  });
});

describe('the two formats', () => {
  it.each([
    [0, '0 bytes', '0'],
    [1, '1 byte', '1'],
    [1023, '1023 bytes', '1023'],
    [1024, '1 KiB', '1k'],
    [1495, '1.46 KiB', '1.46k'],
    [1536, '1.5 KiB', '1.5k'],
    [100 * 2 ** 30, '100 GiB', '100g'],
    [2 ** 80, '1 YiB', '1y'],
  ])('writes %d as %s and %s', (bytes, long, short) => {
    expect(formatBinarySize(bytes)).toBe(long);
    expect(formatBinarySizeShort(bytes)).toBe(short);
  });
});
