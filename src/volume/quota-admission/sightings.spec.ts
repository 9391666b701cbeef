import { Sightings } from './sightings.js';

const LAG_MS = 10_000;

describe('Sightings', () => {
  let nowMs: number;
  let sightings: Sightings;
  const counted = (staged: number): number => sightings.countedBytes('a', staged, LAG_MS);

  beforeEach(() => {
    nowMs = 1_000_000;
    sightings = new Sightings(() => nowMs);
  });

  it('takes for counted what was staged a lag ago, and no more', () => {
    expect(counted(100)).toBe(0);
    nowMs += LAG_MS / 2;
    expect(counted(300)).toBe(0);
    nowMs += LAG_MS / 2;
    expect(counted(400)).toBe(100);
    nowMs += LAG_MS;
    expect(counted(400)).toBe(400);
  });

  it('does not take for counted what was cut off again', () => {
    counted(100);
    nowMs += LAG_MS;
    expect(counted(30)).toBe(30);
    nowMs += 1;
    expect(counted(100)).toBe(30);
  });

  it('takes everything for counted where nothing lags', () => {
    expect(sightings.countedBytes('a', 7, 0)).toBe(7);
    expect(sightings.countedBytes('a', 9, 0)).toBe(9);
    expect(sightings.hasEndedFor('a', 0)).toBe(true);
  });

  it('knows how long it has seen an upload to be over', () => {
    expect(sightings.hasEndedFor('a', LAG_MS)).toBe(false);
    nowMs += LAG_MS;
    expect(sightings.hasEndedFor('a', LAG_MS)).toBe(true);
    expect(sightings.hasEndedFor('b', LAG_MS)).toBe(false);
    sightings.forget('a');
    expect(sightings.hasEndedFor('a', LAG_MS)).toBe(false);
  });
});
