import { TransferSlots } from './transfer-slots.js';

const patient = new AbortController().signal;
const slots = (perToken: number, perVolume: number, uploadWaitMs = 60_000) =>
  new TransferSlots({ perToken, perVolume, uploadWaitMs });

describe('TransferSlots', () => {
  it('refuses downloads of a token, or a volume, that has enough', () => {
    const full = slots(1, 2);
    full.enter({ volume: 'v', token: 'a' });
    expect(() => full.enter({ volume: 'v', token: 'a' })).toThrow(
      expect.objectContaining({ code: 'RATE_LIMITED' }),
    );
    full.enter({ volume: 'v', token: 'b' });
    expect(() => full.enter({ volume: 'v', token: 'c' })).toThrow(
      expect.objectContaining({ code: 'UNAVAILABLE' }),
    );
    full.enter({ volume: 'w', token: 'c' });
  });

  it('takes a slot back once, however often it is given back', () => {
    const one = slots(1, 1);
    const release = one.enter({ volume: 'v', token: 'a' });
    release();
    release();
    one.enter({ volume: 'v', token: 'a' });
    expect(() => one.enter({ volume: 'v', token: 'a' })).toThrow('All 1 transfers');
  });

  it('lets uploads in one after another, in order', async () => {
    const one = slots(9, 1);
    const entered: string[] = [];
    const release = one.enter({ volume: 'v', token: 'a' });
    const waiting = ['b', 'c'].map(async (token) => {
      const leave = await one.enterInTurn({ volume: 'v', token }, patient);
      entered.push(token);
      leave();
    });
    expect([one.waiting, entered]).toEqual([2, []]);
    release();
    await Promise.all(waiting);
    expect([one.waiting, entered]).toEqual([0, ['b', 'c']]);
  });

  it('does not let one that has to wait hold up another', async () => {
    const two = slots(1, 2);
    two.enter({ volume: 'v', token: 'a' });
    const release = two.enter({ volume: 'v', token: 'b' });
    const gone = new AbortController();
    const same = two.enterInTurn({ volume: 'v', token: 'a' }, gone.signal);
    const other = two.enterInTurn({ volume: 'v', token: 'c' }, patient);
    release();
    await other;
    expect(two.waiting).toBe(1);
    gone.abort(new Error('gone'));
    await expect(same).rejects.toThrow('gone');
  });

  it('refuses uploads after the wait, and forgets those that went away', async () => {
    const one = slots(1, 1, 10);
    one.enter({ volume: 'v', token: 'a' });
    await expect(one.enterInTurn({ volume: 'v', token: 'b' }, patient)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    const gone = new AbortController();
    const waiting = one.enterInTurn({ token: 'a' }, gone.signal);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect(one.waiting).toBe(0);
  });
});
