import { RelPath } from '../ids/relpath.js';
import { withoutOverlaps } from './archives.js';

describe('withoutOverlaps', () => {
  it.each([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [['a', 'a', './a/'], ['a']],
    [['d', 'd/1', 'd/sub/2'], ['d']],
    [['d/sub/2', 'd'], ['d']],
    [
      ['d', 'd2', 'd2/1'],
      ['d', 'd2'],
    ],
    [['a', '.', 'b/c'], ['.']],
    [
      ['d/1', 'd/10'],
      ['d/1', 'd/10'],
    ],
  ])('makes of %j %j', (files, expected) => {
    const paths = files.map((file) => RelPath.parse(file));
    expect(withoutOverlaps(paths).map(String)).toEqual(expected);
  });
});
