import type { Volume } from '../../volume/volume.js';
import type { EventWire, Posted } from './event-wire.js';
import type { ClusterEvent } from './event.js';
import { OutboxDelivery } from './outbox-delivery.js';
import type { Outbox } from './outbox.js';

describe('OutboxDelivery', () => {
  it('does not wait for ever for the lock of a host that died while it sent', async () => {
    let nowMs = 0;
    const entry = { name: '1.job.done.json', id: 'job.done', writtenAt: new Date() };
    const event: ClusterEvent = {
      name: 'e',
      kind: 'broadcast',
      members: [],
      job: 'j',
      folders: [],
    };
    const waiting = [entry];
    const outbox = {
      volume: { name: 'local' } as Volume,
      entries: async () => [...waiting],
      lock: async () => null,
      read: async () => event,
      remove: async () => void waiting.pop(),
    } as unknown as Outbox;
    const sent: ClusterEvent[] = [];
    const broadcast = async (one: ClusterEvent): Promise<void> => void sent.push(one);
    const wire = { isReady: true, broadcast } as unknown as EventWire;
    const delivery = new OutboxDelivery(outbox, wire, () => nowMs);
    expect(await delivery.round()).toBe('held');
    nowMs += 29_999;
    expect(await delivery.round()).toBe('held');
    expect(sent).toEqual([]);
    nowMs += 1;
    expect(await delivery.round()).toBe('nothing');
    expect(sent).toEqual([event]);
  });

  it('sends nothing again before what comes before it, when the first manager comes in between', async () => {
    const folders = ['f'];
    const events = ['clone', 'deletion'].map((name): ClusterEvent => ({
      name,
      kind: 'anycast',
      members: [],
      job: name,
      folders,
    }));
    const waiting = events.map(({ name }) => ({ name, id: name, writtenAt: new Date() }));
    const outbox = {
      volume: { name: 'local' } as Volume,
      entries: async () => [...waiting],
      lock: async () => ({ release: async () => undefined }),
      read: async ({ name }: { name: string }) => events.find((event) => event.name === name),
      remove: async () => void waiting.shift(),
    } as unknown as Outbox;
    const heard: string[] = [];
    let hasManager = false;
    const post = async ({ name }: ClusterEvent, { insteadOf = '' } = {}): Promise<Posted> => {
      if (insteadOf !== '') heard.push(name);
      const isDelivered = heard.includes(name);
      const id = `${heard.indexOf(name) + 1}-0`;
      const posted = { id, isDelivered, isLost: hasManager && !isDelivered };
      hasManager = true;
      return posted;
    };
    const wire = { isReady: true, post } as unknown as EventWire;
    expect(await new OutboxDelivery(outbox, wire).round()).toBe('nothing');
    expect(heard).toEqual(['clone', 'deletion']);
  });

  it('does not take the next one to hold the lock for the one that held it long ago', async () => {
    let nowMs = 0;
    let isHeld = true;
    const entry = { name: '1.job.done.json', id: 'job.done', writtenAt: new Date() };
    const outbox = {
      volume: { name: 'local' } as Volume,
      entries: async () => [entry],
      lock: async () => (isHeld ? null : { release: async () => undefined }),
      read: async () => undefined,
    } as unknown as Outbox;
    const wire = { isReady: true } as unknown as EventWire;
    const delivery = new OutboxDelivery(outbox, wire, () => nowMs);
    expect(await delivery.round()).toBe('held');
    isHeld = false;
    expect(await delivery.round()).toBe('nothing');
    isHeld = true;
    nowMs += 60_000;
    expect(await delivery.round()).toBe('held');
  });

  it('sends again once when two find that it was lost, and keeps the order', async () => {
    const names = ['clone', 'deletion'];
    const events = new Map(
      names.map((name) => {
        const event: ClusterEvent = {
          name,
          kind: 'anycast',
          members: [],
          job: name,
          folders: ['f'],
        };
        return [name, event];
      }),
    );
    const outbox = {
      volume: { name: 'local' } as Volume,
      entries: async () => names.map((name) => ({ name, id: name, writtenAt: new Date() })),
      lock: async () => ({ release: async () => undefined }),
      read: async ({ name }: { name: string }) => events.get(name),
      remove: async () => undefined,
    } as unknown as Outbox;
    // Added while there was no manager.
    const stream = [...names];
    const marker = new Map(names.map((name, index) => [name, index]));
    const bothLook = new Barrier(2);
    const post = async ({ name }: ClusterEvent, { insteadOf = '' } = {}): Promise<Posted> => {
      if (insteadOf === `${marker.get(name)!}-0`) marker.set(name, stream.push(name) - 1);
      const index = marker.get(name)!;
      if (insteadOf === '') await bothLook.reached();
      const isDelivered = index >= names.length;
      return { id: `${index}-0`, isDelivered, isLost: !isDelivered };
    };
    const wire = { isReady: true, post } as unknown as EventWire;
    const senders = [new OutboxDelivery(outbox, wire), new OutboxDelivery(outbox, wire)];
    await Promise.all(senders.map((sender) => sender.round()));
    expect(stream.slice(names.length)).toEqual(names);
  });
});

/** Lets nobody on before so many have come; each time anew. */
class Barrier {
  #waiting: (() => void)[] = [];

  constructor(private readonly parties: number) {}

  async reached(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length < this.parties) return;
      for (const go of this.#waiting.splice(0)) go();
    });
  }
}
