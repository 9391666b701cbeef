import fc from 'fast-check';
import { selectRanges } from './byte-range.js';

const size = 1000;

describe('selectRanges', () => {
  it.each<[string | undefined, 'whole' | [start: number, length: number][]]>([
    [undefined, 'whole'],
    ['items=0-1', 'whole'],
    ['bytes 0-1', 'whole'],
    ['bytes=0-0', [[0, 1]]],
    ['BYTES=0-0', [[0, 1]]],
    ['bytes=0-999', [[0, 1000]]],
    ['bytes=0-5000', [[0, 1000]]],
    ['bytes=500-', [[500, 500]]],
    ['bytes=999-', [[999, 1]]],
    ['bytes=1000-', []],
    ['bytes=-1', [[999, 1]]],
    ['bytes=-1000', [[0, 1000]]],
    ['bytes=-5000', [[0, 1000]]],
    ['bytes=-0', []],
    ['bytes=0-99999999999999999999999', [[0, 1000]]],
    ['bytes=99999999999999999999999-', []],
    ['bytes=', []],
    ['bytes=-', []],
    ['bytes=a-b', []],
    ['bytes=5-1', []],
    ['bytes=1-5-9', []],
    ['bytes=+1-5', []],
    ['bytes=1-5;q', []],
    [
      'bytes= 1-5 , 900-',
      [
        [1, 5],
        [900, 100],
      ],
    ],
    ['bytes=,,1-5,,', [[1, 5]]],
    [
      'bytes=0-9,200-209',
      [
        [0, 10],
        [200, 10],
      ],
    ],
    [
      'bytes=900-,0-9',
      [
        [900, 100],
        [0, 10],
      ],
    ],
    ['bytes=0-9,1000-', [[0, 10]]],
    ['bytes=2000-,1000-', []],
    ['bytes=0-9,a-b', []],
    ['bytes=0-9,5-20', [[0, 21]]],
    ['bytes=0-9,10-20', [[0, 21]]],
    ['bytes=0-9,60-69', [[0, 70]]],
    [
      'bytes=500-599,0-9,550-700',
      [
        [500, 201],
        [0, 10],
      ],
    ],
    ['bytes=500-599,0-9,0-700', [[0, 701]]],
    ['bytes=0-,-1', [[0, 1000]]],
    [`bytes=${Array.from({ length: 101 }, () => '0-1').join(',')}`, 'whole'],
  ])('reads %j', (header, expected) => {
    const selection = selectRanges(header, size);
    expect(
      typeof selection === 'string' ? selection : selection.map((r) => [r.start, r.length]),
    ).toEqual(expected);
  });

  it.each([
    ['bytes=0-', []],
    ['bytes=0-0', []],
    ['bytes=-0', []],
    ['bytes=-5', 'whole'],
  ])('reads %j of an empty file', (header, expected) => {
    expect(selectRanges(header, 0)).toEqual(expected);
  });

  it('selects exactly the bytes asked for, and each once', () => {
    const spec = fc.oneof(
      fc.tuple(fc.nat(1200), fc.nat(1200)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]),
      fc.nat(1200).map((first) => [first, Infinity]),
    );
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 20 }), (specs) => {
        const header = `bytes=${specs.map(([a, b]) => `${a}-${b === Infinity ? '' : b}`).join(',')}`;
        const selection = selectRanges(header, size);
        const count = Array.from({ length: size }, () => 0);
        for (const { start, length } of selection as { start: number; length: number }[]) {
          for (let i = start; i < start + length; i++) count[i]!++;
        }
        const asked = (i: number): boolean => specs.some(([a, b]) => a! <= i && i <= b!);
        expect(count.filter((times) => times > 1)).toEqual([]);
        expect(count.flatMap((times, i) => (asked(i) && times !== 1 ? [i] : []))).toEqual([]);
      }),
    );
  });

  it('survives any header', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (text, length) => {
        for (const header of [text, `bytes=${text}`]) {
          const selection = selectRanges(header, length);
          if (selection === 'whole') continue;
          for (const range of selection) {
            expect(range.length).toBeGreaterThan(0);
            expect(range.start + range.length).toBeLessThanOrEqual(length);
          }
        }
      }),
    );
  });
});
