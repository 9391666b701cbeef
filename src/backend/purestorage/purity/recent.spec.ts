import { Recent } from './recent.js';

describe('Recent', () => {
  it('keeps the last answer beside the failure that came after it', async () => {
    let now = 0;
    const answers = [async () => 'well', async () => Promise.reject(new Error('away'))];
    const recent = new Recent(
      1000,
      () => answers.shift()!(),
      () => now,
    );
    expect(recent.last).toBeUndefined();
    expect(await recent.get()).toBe('well');
    expect(await recent.get()).toBe('well');
    now = 1000;
    await expect(recent.get()).rejects.toThrow('away');
    expect(recent.last).toMatchObject({ value: 'well', error: { message: 'away' } });
  });
});
