import { ProgressBar } from './progress-bar.js';

const drawnOn = (isTTY: boolean) => {
  const written: string[] = [];
  let now = 1_000;
  const output = { isTTY, write: (text: string) => written.push(text) > 0 };
  const bar = new ProgressBar(output, 'v', () => now);
  return { written, bar, pass: (ms: number) => (now += ms) };
};

describe('a progress bar', () => {
  it('is drawn on a terminal, not too often, and cleared', () => {
    const { written, bar, pass } = drawnOn(true);
    bar.show(1, 4);
    bar.show(2, 4);
    pass(200);
    bar.show(3, 4);
    bar.clear();
    bar.clear();
    expect(written).toHaveLength(3);
    expect(written[0]).toContain('[########----------------------]  25 % 1 entries');
    expect(written[1]).toContain(' 75 % 3 entries');
    expect(written[2]).toBe('\r\u001b[K');
  });

  it('never goes beyond its end, and knows no share of an unknown number', () => {
    const { written, bar, pass } = drawnOn(true);
    bar.show(9, 4);
    pass(200);
    bar.show(9, 0);
    expect(written[0]).toContain('100 %');
    expect(written[1]).toContain('  0 %');
  });

  it('is nothing in a file or a pipe', () => {
    const { written, bar } = drawnOn(false);
    bar.show(1, 4);
    bar.clear();
    expect(written).toEqual([]);
  });
});
