import { Backoff } from './backoff.js';

describe('Backoff', () => {
  const options = { firstMs: 100, longestMs: 500, forgetAfterMs: 1_000 };

  it('doubles the pause up to the longest', () => {
    const backoff = new Backoff(options);
    const pauses = Array.from({ length: 5 }, () => backoff.next(0));
    expect(pauses).toEqual([100, 200, 400, 500, 500]);
  });

  it('begins anew after it went well for long enough', () => {
    const backoff = new Backoff(options);
    backoff.next(0);
    backoff.next(0);
    expect(backoff.next(1_000)).toBe(100);
    expect(backoff.next(999)).toBe(200);
  });
});
