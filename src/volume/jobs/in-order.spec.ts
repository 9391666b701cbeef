import { InOrder } from './in-order.js';

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('InOrder', () => {
  it('runs one after another what has the same key, whatever became of the one before', async () => {
    const inOrder = new InOrder();
    const events: string[] = [];
    const work =
      (name: string, fail = false) =>
      async () => {
        events.push(`${name} begins`);
        await tick();
        events.push(`${name} ends`);
        if (fail) throw new Error(name);
      };
    const first = inOrder.run('folder', work('a', true));
    const others = [inOrder.run('folder', work('b')), inOrder.run('other', work('c'))];
    await expect(first).rejects.toThrow('a');
    await Promise.all(others);
    expect(events.slice(0, 2)).toEqual(['a begins', 'c begins']);
    const sameKey = events.filter((event) => !event.startsWith('c'));
    expect(sameKey).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });
});
