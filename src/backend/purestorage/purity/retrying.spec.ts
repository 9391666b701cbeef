import { PurityError } from './purity-error.js';
import { parseRetryAfter, retryDelayMs, retrying } from './retrying.js';

const noWait = (): number => 0;

describe('retrying', () => {
  const failing = (error: Error, times: number): jest.Mock<Promise<string>> => {
    const call = jest.fn<Promise<string>, []>().mockResolvedValue('answer');
    for (let time = 0; time < times; time++) call.mockRejectedValueOnce(error);
    return call;
  };

  it.each([
    ['no answer', new PurityError('unreachable', 'gone')],
    ['429', new PurityError('refused', 'slow down', { status: 429, retryAfterMs: 0 })],
    ['503', new PurityError('refused', 'busy', { status: 503 })],
  ])('tries again after %s', async (_, error) => {
    const call = failing(error, 2);
    expect(await retrying(call, noWait)).toBe('answer');
    expect(call).toHaveBeenCalledTimes(3);
  });

  it('gives up after three attempts', async () => {
    const call = failing(new PurityError('unreachable', 'gone'), 9);
    await expect(retrying(call, noWait)).rejects.toThrow('gone');
    expect(call).toHaveBeenCalledTimes(3);
  });

  it.each([
    ['a wrong token', new PurityError('token', 'no')],
    ['a certificate', new PurityError('certificate', 'no')],
    ['400', new PurityError('refused', 'no', { status: 400 })],
    ['a defect', new TypeError('no')],
  ])('does not repeat %s', async (_, error) => {
    const call = failing(error, 1);
    await expect(retrying(call, noWait)).rejects.toBe(error);
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('waits longer each time, and never long', () => {
    const longest = [0, 1, 2, 20].map((attempt) => retryDelayMs(attempt, () => 1));
    expect(longest).toEqual([200, 400, 800, 5000]);
    expect(retryDelayMs(3, () => 0)).toBe(0);
  });

  it.each([
    ['3', 3000],
    [' 0 ', 0],
    ['Sun, 01 Mar 2026 00:00:05 GMT', 5000],
    ['Sun, 01 Mar 2020 00:00:00 GMT', 0],
    ['soon', undefined],
    [undefined, undefined],
  ])('reads Retry-After %j', (value, expected) => {
    expect(parseRetryAfter(value, Date.UTC(2026, 2, 1))).toBe(expected);
  });
});
