/** What can be said between workers: JSON. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [member: string]: JsonValue };

/** Topic: a worker of the group has ended, however that happened; whoever composes the processes says so. */
export const WORKER_DIED = 'worker.died';

export type BusHandler = (payload: JsonValue) => void;

/**
 * Short messages to all workers of the process group, the sender included: asking the holder of an upload
 * lock to let go, waking up whoever waits for a job. Delivery is best effort and in order per sender;
 * nothing may depend on it for correctness. Also the injection token.
 */
export abstract class WorkerBus {
  abstract publish(topic: string, payload: JsonValue): void;
  /** Returns the way to end the subscription. Handlers must not throw. */
  abstract subscribe(topic: string, handler: BusHandler): () => void;
}

/** The bus of a process that has no siblings. Handlers run after `publish` has returned. */
export class LocalWorkerBus extends WorkerBus {
  readonly #handlers = new Map<string, Set<BusHandler>>();

  publish(topic: string, payload: JsonValue): void {
    queueMicrotask(() => this.deliver(topic, payload));
  }

  subscribe(topic: string, handler: BusHandler): () => void {
    const handlers = this.#handlers.get(topic) ?? new Set();
    this.#handlers.set(topic, handlers);
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  private deliver(topic: string, payload: JsonValue): void {
    for (const handler of this.#handlers.get(topic) ?? []) handler(payload);
  }
}
