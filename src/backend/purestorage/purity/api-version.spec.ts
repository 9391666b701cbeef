import fc from 'fast-check';
import { chooseApiVersion, compareApiVersions, parseApiVersion } from './api-version.js';

const version = (text: string): readonly number[] => parseApiVersion(text)!;

describe('API versions', () => {
  it.each([
    ['1.10', '1.9'],
    ['1.8.1', '1.8'],
    ['2.0', '1.12'],
    ['2.28', '2.3'],
  ])('orders %s above %s', (above, below) => {
    expect(compareApiVersions(version(above), version(below))).toBeGreaterThan(0);
    expect(compareApiVersions(version(below), version(above))).toBeLessThan(0);
  });

  it.each(['', '2', '2.x', 'latest', '1.8.1.1', '-1.8', '2.99999'])('does not read %j', (text) => {
    expect(parseApiVersion(text)).toBeUndefined();
  });

  it.each([
    [
      ['1.0', '1.8', '1.8.1', '1.9', '1.12', '2.8', '2.0'],
      [2, 8],
    ],
    [
      ['1.9', '1.10', '1.8.1', '1.1'],
      [1, 10],
    ],
    [
      ['2.latest', '1.8'],
      [1, 8],
    ],
    [
      ['2.27', '2.28', '2.29', '3.0'],
      [2, 28],
    ],
    [['1.0', '1.7'], undefined],
    [[], undefined],
  ])('chooses from %j', (offered, chosen) => {
    expect(chooseApiVersion(offered)).toEqual(chosen);
  });

  it('is a total order, and choosing does not depend on the order of the list', () => {
    const text = fc
      .array(fc.nat(30), { minLength: 2, maxLength: 3 })
      .map((parts) => parts.join('.'));
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareApiVersions(version(a), version(b)))).toBe(
          0 - Math.sign(compareApiVersions(version(b), version(a))),
        );
      }),
    );
    fc.assert(
      fc.property(fc.array(text), (offered) => {
        const [chosen, again] = [offered, offered.toReversed()].map(chooseApiVersion);
        expect(chosen && compareApiVersions(chosen, again!)).toBe(chosen && 0);
      }),
    );
  });
});
