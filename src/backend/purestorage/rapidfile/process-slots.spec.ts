import { ProcessSlots } from './process-slots.js';

describe('ProcessSlots', () => {
  const never = new AbortController().signal;

  it('lets so many in, and the next when one leaves, in the order they came', async () => {
    const slots = new ProcessSlots(2);
    const [first] = [await slots.take(never), await slots.take(never)];
    const order: number[] = [];
    const waiting = [1, 2].map((number) =>
      slots.take(never).then((give) => (order.push(number), give)),
    );
    await Promise.resolve();
    expect(order).toEqual([]);
    first();
    first();
    (await waiting[0]!)();
    await waiting[1];
    expect(order).toEqual([1, 2]);
  });

  it('forgets who gives up waiting', async () => {
    const slots = new ProcessSlots(1);
    const give = await slots.take(never);
    const controller = new AbortController();
    const waiting = slots.take(controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(slots.take(controller.signal)).rejects.toThrow('enough');
    give();
    (await slots.take(never))();
  });
});
