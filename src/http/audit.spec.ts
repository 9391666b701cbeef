import fc from 'fast-check';
import { subjectOf } from './audit.js';

describe('the subject of a record', () => {
  it('is what the parameters name', () => {
    expect(
      subjectOf({ volume: 'v', vfid: 'f', src_relpath: 'a', dst_relpath: 'b', recursive: true }),
    ).toEqual({ volume: 'v', vfolder: 'f', paths: ['a', 'b'], details: { recursive: true } });
  });

  it('of a clone is the clone, and says where it is from', () => {
    const parameters = { src_volume: 'v', src_vfid: 'a', dst_volume: null, dst_vfid: 'b' };
    expect(subjectOf(parameters)).toEqual({
      volume: 'v',
      vfolder: 'b',
      details: { source_volume: 'v', source_vfolder: 'a' },
    });
  });

  it('is bounded, and says what is left out', () => {
    const { paths, details } = subjectOf({
      relpaths: Array.from({ length: 150 }, () => 'x'.repeat(9999)),
    });
    expect(paths).toHaveLength(100);
    expect(paths![0]).toHaveLength(4097);
    expect(details).toEqual({ paths_left_out: 50 });
  });

  it('can be told of whatever came', () => {
    const names = [
      'volume',
      'vfid',
      'src_vfid',
      'src_volume',
      'relpath',
      'relpaths',
      'mode',
      'options',
    ];
    const parameters = fc.dictionary(fc.constantFrom(...names), fc.anything({ withBigInt: false }));
    fc.assert(
      fc.property(parameters, (given) => {
        // As they are after JSON.parse.
        const parsed = JSON.parse(JSON.stringify(given)) as Record<string, unknown>;
        expect(JSON.stringify(subjectOf(parsed)).length).toBeLessThan(1_000_000);
      }),
    );
  });
});
