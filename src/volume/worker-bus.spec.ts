import { setImmediate as turn } from 'node:timers/promises';
import { LocalWorkerBus, type JsonValue } from './worker-bus.js';

describe('LocalWorkerBus', () => {
  it('delivers to subscribers of the topic, until they leave', async () => {
    const bus = new LocalWorkerBus();
    const heard: JsonValue[] = [];
    const leave = bus.subscribe('a', (payload) => heard.push(payload));
    bus.publish('a', 1);
    bus.publish('b', 2);
    expect(heard).toEqual([]);
    await turn();
    leave();
    bus.publish('a', 3);
    await turn();
    expect(heard).toEqual([1]);
  });
});
