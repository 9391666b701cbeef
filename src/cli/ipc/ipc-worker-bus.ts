import { WorkerBus, type BusHandler, type JsonValue } from '../../volume/worker-bus.js';
import type { PrimaryLink } from './protocol.js';

/** The bus of a worker: the primary relays what is published to every worker, the sender included. */
export class IpcWorkerBus extends WorkerBus {
  readonly #handlers = new Map<string, Set<BusHandler>>();

  constructor(private readonly primary: PrimaryLink) {
    super();
    primary.onNotice('bus', ({ topic, payload }) => {
      for (const handler of this.#handlers.get(topic) ?? []) handler(payload);
    });
  }

  publish(topic: string, payload: JsonValue): void {
    this.primary.tell('bus', { topic, payload });
  }

  subscribe(topic: string, handler: BusHandler): () => void {
    const handlers = this.#handlers.get(topic) ?? new Set();
    this.#handlers.set(topic, handlers);
    handlers.add(handler);
    return () => handlers.delete(handler);
  }
}
