import fc from 'fast-check';
import { judge, type Claim } from './admission-rule.js';

/** Unless told otherwise, what is staged is counted. */
const claim = (session: string, declaredBytes: number, more: Partial<Claim> = {}): Claim => ({
  session,
  declaredBytes,
  madeAtNs: 0n,
  state: 'running',
  stagedBytes: 0,
  countedBytes: more.stagedBytes ?? 0,
  ...more,
});

describe('judge', () => {
  const usage = { usedBytes: 40, limitBytes: 100, lagMs: 0 };

  it.each<[string, Claim[], ReturnType<typeof judge>]>([
    ['what fits exactly', [claim('me', 60)], 'admitted'],
    ['a byte too much', [claim('me', 61)], 'refused'],
    ['what fits beside an earlier claim', [claim('a', 30), claim('me', 30)], 'admitted'],
    ['what does not', [claim('a', 31), claim('me', 30)], 'refused'],
    [
      'what fits since half of an earlier one has come',
      [claim('a', 40, { stagedBytes: 20 }), claim('me', 40)],
      'admitted',
    ],
    ['a later claim in the way', [claim('me', 40), claim('z', 40)], 'doubtful'],
    ['a claim of the same moment in the way', [claim('a', 40), claim('me', 40)], 'refused'],
    [
      'an earlier one by the clock alone',
      [claim('me', 40, { madeAtNs: 1n }), claim('z', 40)],
      'refused',
    ],
    [
      'one that has ended and may be counted twice',
      [claim('a', 40, { state: 'ended' }), claim('me', 40)],
      'doubtful',
    ],
    ['an upload that is gone', [claim('a', 60)], 'admitted'],
  ])('judges %s', (_what, claims, verdict) => {
    expect(judge('me', claims, usage)).toBe(verdict);
  });

  it.each<[string, Claim[], ReturnType<typeof judge>]>([
    [
      'what fits only if all that has come is counted',
      [claim('a', 40, { stagedBytes: 20, countedBytes: 0 }), claim('me', 40)],
      'doubtful',
    ],
    [
      'what fits beside what is counted for certain',
      [claim('a', 40, { stagedBytes: 30, countedBytes: 20 }), claim('me', 40)],
      'admitted',
    ],
    ['what fits once others have deleted', [claim('me', 61)], 'doubtful'],
    ['what no deletion makes room for', [claim('a', 50), claim('me', 51)], 'refused'],
  ])('judges %s, where the usage lags behind', (_what, claims, verdict) => {
    expect(judge('me', claims, { ...usage, lagMs: 10_000 })).toBe(verdict);
  });

  /**
   * Uploads in any order of steps: each writes its claim, then looks until it is admitted or refused, and takes
   * the claim away when refused. Clocks say what they like.
   */
  const races = fc.record({
    limitBytes: fc.integer({ min: 0, max: 100 }),
    uploads: fc.array(
      fc.record({ bytes: fc.integer({ min: 1, max: 60 }), clock: fc.bigInt(0n, 5n) }),
      { minLength: 1, maxLength: 8 },
    ),
    schedule: fc.array(fc.nat(7), { maxLength: 200 }),
  });

  function race(run: {
    limitBytes: number;
    uploads: { bytes: number; clock: bigint }[];
    schedule: number[];
  }): { verdicts: string[]; limitBytes: number; admittedBytes: number } {
    const claims = new Map<number, Claim>();
    const verdicts: string[] = run.uploads.map(() => 'unasked');
    const step = (index: number): void => {
      const upload = run.uploads[index];
      if (upload === undefined || /admitted|refused/.test(verdicts[index]!)) return;
      const session = `session-${index}`;
      if (!claims.has(index)) {
        claims.set(index, claim(session, upload.bytes, { madeAtNs: upload.clock }));
        return;
      }
      const usage = { usedBytes: 0, limitBytes: run.limitBytes, lagMs: 0 };
      verdicts[index] = judge(session, [...claims.values()], usage);
      if (verdicts[index] === 'refused') claims.delete(index);
    };
    for (const index of run.schedule) step(index);
    for (let round = 0; round < 20; round++) run.uploads.forEach((_, index) => step(index));
    const admittedBytes = run.uploads.reduce(
      (sum, { bytes }, index) => sum + (verdicts[index] === 'admitted' ? bytes : 0),
      0,
    );
    return { verdicts, limitBytes: run.limitBytes, admittedBytes };
  }

  it('never lets claims go beyond the limit, whatever the clocks say', () => {
    fc.assert(
      fc.property(races, (run) => {
        const { admittedBytes, limitBytes } = race(run);
        expect(admittedBytes).toBeLessThanOrEqual(limitBytes);
      }),
      { numRuns: 2_000 },
    );
  });

  it('admits everybody when all fit together', () => {
    fc.assert(
      fc.property(races, (run) => {
        const limitBytes = run.uploads.reduce((sum, { bytes }) => sum + bytes, 0);
        expect(race({ ...run, limitBytes }).verdicts).not.toContain('refused');
      }),
    );
  });

  it('admits somebody whenever one of those who ask at once fits', () => {
    fc.assert(
      fc.property(races, (run) => {
        fc.pre(run.uploads.every(({ bytes }) => bytes <= run.limitBytes));
        // All have claimed before any looks, and clocks agree with nothing in particular.
        const schedule = run.uploads.map((_, index) => index);
        const { verdicts } = race({ ...run, schedule });
        expect(verdicts).toContain('admitted');
      }),
    );
  });
});
