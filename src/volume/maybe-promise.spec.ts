import { chain, cleaningUp } from './maybe-promise.js';

describe('chain', () => {
  it('goes on at once with what is there, and later with what is not', async () => {
    expect(chain(1, (value) => value + 1)).toBe(2);
    expect(await chain(Promise.resolve(1), (value) => value + 1)).toBe(2);
    await expect(chain(Promise.reject(new Error('no')), () => 2)).rejects.toThrow('no');
  });
});

describe('cleaningUp', () => {
  const failing = (): never => {
    throw new Error('no');
  };

  it.each([
    ['a value', () => 1],
    ['a promise', () => Promise.resolve(1)],
    ['an exception', failing],
    ['a rejection', () => Promise.reject(new Error('no'))],
  ])('cleans up once, after %s', async (_, end) => {
    const steps: string[] = [];
    const work = () =>
      cleaningUp(
        () => {
          steps.push('work');
          return end();
        },
        () => void steps.push('cleanup'),
      );
    const outcome = await Promise.resolve().then(work).catch(String);
    expect([1, 'Error: no']).toContain(outcome);
    expect(steps).toEqual(['work', 'cleanup']);
  });

  it('is done at once when both are, and waits for a cleanup that takes time', async () => {
    expect(
      cleaningUp(
        () => 1,
        () => undefined,
      ),
    ).toBe(1);
    expect(() => cleaningUp(failing, () => undefined)).toThrow('no');
    let cleaned = false;
    const slowly = async (): Promise<void> => {
      await Promise.resolve();
      cleaned = true;
    };
    expect(await cleaningUp(() => 1, slowly)).toBe(1);
    expect(cleaned).toBe(true);
    await expect(cleaningUp(failing, slowly)).rejects.toThrow('no');
  });
});
