import { formatHttpDate, parseHttpDate, secondsOf } from './http-date.js';

describe('HTTP dates', () => {
  it.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', 784111777],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 784111777],
    ['Sun Nov  6 08:49:37 1994', 784111777],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Sat, 31 Dec 2016 23:59:60 GMT', 1483228800],
    ['Mon, 30 Feb 2026 00:00:00 GMT', undefined],
    ['Sun, 06 Nov 1994 08:49:37', undefined],
    ['Sun, 06 Foo 1994 08:49:37 GMT', undefined],
    ['Sun, 06 Nov 1994 24:00:00 GMT', undefined],
    ['784111777', undefined],
    ['', undefined],
  ])('reads %j', (text, expected) => {
    expect(parseHttpDate(text)).toBe(expected);
  });

  it('takes a two-digit year far ahead for the past', () => {
    expect(parseHttpDate('Friday, 01-Jan-99 00:00:00 GMT')).toBe(Date.UTC(1999, 0, 1) / 1000);
  });

  it('writes whole seconds, rounded down', () => {
    expect(formatHttpDate(784111777_999_999_999n)).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
    expect(secondsOf(-1n)).toBe(-1);
    expect(secondsOf(-1_000_000_000n)).toBe(-1);
  });
});
