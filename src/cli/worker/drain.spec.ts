import { drain, type Drainable } from './drain.js';

function stage(quiet: boolean) {
  const steps: string[] = [];
  const plane: Drainable = {
    discourage: () => steps.push('discourage'),
    close: () => steps.push('close'),
    settled: (timeoutMs) => {
      steps.push(`settled within ${timeoutMs}`);
      return Promise.resolve(quiet);
    },
  };
  return {
    steps,
    planes: [plane],
    draining: () => steps.push('readiness fails'),
    quiesce: () => {
      steps.push('quiesce');
      return Promise.resolve();
    },
  };
}

describe('drain', () => {
  it('fails readiness first, and stops accepting only after the delay', async () => {
    const { steps, ...given } = stage(true);
    const draining = drain(given, { delayMs: 30, timeoutMs: 7 });
    expect(steps).toEqual(['readiness fails', 'discourage']);
    await expect(draining).resolves.toBe(true);
    expect(steps.slice(2)).toEqual(['close', 'settled within 7', 'quiesce']);
  });

  it('tells that something was cut off', async () => {
    const { steps, ...given } = stage(false);
    await expect(drain(given, { delayMs: 0, timeoutMs: 1 })).resolves.toBe(false);
    expect(steps).toContain('close');
  });
});
