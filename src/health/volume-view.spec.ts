import type { ProbeReport } from './probe/probe-report.js';
import { viewVolumes } from './volume-view.js';

const probe = (volume: string, outcome: ProbeReport['outcome'], readable = outcome === 'ok') => ({
  volume,
  outcome,
  mounted: readable,
  readable,
  writable: outcome === 'ok',
  message: outcome === 'ok' || outcome === 'pending' ? null : `probe ${outcome}`,
  checkedAt: '2026-03-01T00:00:00.000Z',
});
const state = (volume: string, usable = true) => ({
  volume,
  usable,
  reason: usable ? null : 'not mounted',
});

describe('viewVolumes', () => {
  it.each([
    ['a good probe and a usable volume', probe('a', 'ok'), [state('a')], true, true, null],
    ['no probe yet', probe('a', 'pending'), [state('a')], true, true, null],
    ['a hung volume', probe('a', 'hung'), [state('a')], false, false, 'probe hung'],
    ['a full volume', probe('a', 'failed', true), [state('a')], false, true, 'probe failed'],
    ['a missing mount', probe('a', 'failed'), [state('a')], false, false, 'probe failed'],
    [
      'a volume whose array is not well',
      probe('a', 'ok'),
      [{ ...state('a'), trouble: 'alert: a blade failed' }],
      false,
      true,
      'alert: a blade failed',
    ],
    ['a volume not open', probe('a', 'ok'), [state('a', false)], false, false, 'not mounted'],
    [
      'a volume that one worker of two cannot use',
      probe('a', 'ok'),
      [state('a'), state('a', false)],
      false,
      true,
      'not mounted',
    ],
  ])('judges %s', (_, report, states, healthy, usable, message) => {
    const [view] = viewVolumes([report], states);
    expect(view).toMatchObject({ volume: 'a', healthy, usable, message });
  });

  it('lists every volume once, also one that is not probed', () => {
    const views = viewVolumes([probe('b', 'ok')], [state('a'), state('b'), state('a')]);
    expect(views.map(({ volume }) => volume)).toEqual(['a', 'b']);
  });
});
