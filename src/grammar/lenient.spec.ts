import fc from 'fast-check';
import { GrammarError } from './grammar-error.js';
import { lenientBool, lenientInt } from './lenient.js';

describe('lenientBool', () => {
  it.each([true, 1, 't', 'TRUE', ' y ', 'yes', 'On', '1', '1.0'])('takes %j as true', (value) => {
    expect(lenientBool(value)).toBe(true);
  });
  it.each([false, 0, -0, null, 'f', 'False', 'n', 'NO', 'off', '0', 'none', '0.0'])(
    'takes %j as false',
    (value) => {
      expect(lenientBool(value)).toBe(false);
    },
  );
  it.each(['', 'maybe', 2, undefined, [], {}, 'null'])('refuses %j', (value) => {
    expect(() => lenientBool(value)).toThrow("value can't be converted to Bool");
  });
});

describe('lenientInt', () => {
  it.each<[unknown, number]>([
    [5, 5],
    [-3, -3],
    ['42', 42],
    [' 42 ', 42],
    ['-7', -7],
    ['+7', 7],
    ['-0', 0],
  ])('reads %j as %d', (value, number) => {
    expect(lenientInt(value)).toBe(number);
  });
  it.each([
    '',
    ' ',
    '1.0',
    '0x10',
    '1e3',
    1.5,
    NaN,
    Infinity,
    null,
    undefined,
    true,
    [],
    ['1'],
    {},
  ])('refuses %j', (value) => {
    expect(() => lenientInt(value)).toThrow(GrammarError);
  });
  it('reads every integer from its text', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (number) => {
        expect(lenientInt(String(number))).toBe(number);
      }),
    );
  });
});
