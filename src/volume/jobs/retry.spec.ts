import { retryDelayMs } from './retry.js';

describe('retryDelayMs', () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [9, 256_000],
    [10, 300_000],
    [1_000, 300_000],
  ])('waits after failure %i for about %i ms', (failures, delayMs) => {
    expect(retryDelayMs(failures, () => 0.5)).toBe(delayMs);
    expect(retryDelayMs(failures, () => 0)).toBe(delayMs * 0.8);
    expect(retryDelayMs(failures, () => 1)).toBe(delayMs * 1.2);
  });
});
