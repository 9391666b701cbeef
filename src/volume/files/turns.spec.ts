import { Turns } from './turns.js';

describe('Turns', () => {
  it('lets only so many run at once, in order, and goes on after a failure', async () => {
    const turns = new Turns(2);
    const ends: ((error?: Error) => void)[] = [];
    const begun: number[] = [];
    const all = [0, 1, 2, 3].map((index) =>
      turns.take(() => {
        begun.push(index);
        return new Promise<void>((resolve, reject) => {
          ends[index] = (error) => (error ? reject(error) : resolve());
        });
      }),
    );
    expect(begun).toEqual([0, 1]);
    ends[1]!(new Error('failed'));
    await expect(all[1]).rejects.toThrow('failed');
    expect(begun).toEqual([0, 1, 2]);
    ends[0]!();
    await all[0];
    expect(begun).toEqual([0, 1, 2, 3]);
    ends[2]!();
    ends[3]!();
    await Promise.all([all[2], all[3]]);
    await turns.take(async () => undefined);
  });
});
