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
    const post = async ({ name }: ClusterEvent, { again = false } = {}): Promise<Posted> => {
      if (again) heard.push(name);
      const isDelivered = heard.includes(name);
      const posted = { isDelivered, isLost: hasManager && !isDelivered };
      hasManager = true;
      return posted;
    };
    const wire = { isReady: true, post } as unknown as EventWire;
    expect(await new OutboxDelivery(outbox, wire).round()).toBe('nothing');
    expect(heard).toEqual(['clone', 'deletion']);
  });
});
