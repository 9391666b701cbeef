import { isDeepStrictEqual } from 'node:util';
import { StorageError } from '../../errors/storage-error.js';
import { loggerFor } from '../../observability/logger.js';
import type { Redis } from 'iovalkey';
import type { ServiceState } from '../service-state.js';
import { ValkeyConnection } from './valkey-connection.js';
import {
  describeTarget,
  VALKEY_DATABASES,
  type ValkeyRole,
  type ValkeyTargets,
} from './valkey-target.js';

const log = loggerFor('valkey');

/** What an operator has to know who runs without events. */
const WITHOUT_EVENTS =
  'enough for managers up to 24.09; later ones wait for events before a folder counts as deleted (24.12) or cloned (25.13)';

type Listener = () => void;

/**
 * The site's Valkey as the rest of the proxy sees it: one connection for each role, made anew when the
 * place of the server changes, all of them absent while nobody has said where it is.
 */
export class Valkey {
  #connections: ReadonlyMap<ValkeyRole, ValkeyConnection> | null = null;
  #targets: ValkeyTargets | null = null;
  #isAbsent = false;
  readonly #onReady = new Map<ValkeyRole, Set<Listener>>();
  readonly #subscriptions = new Set<Subscription>();

  constructor(
    private readonly options: {
      /** Told when a server refuses what we know of it. */
      readonly onRefused?: () => void;
      /** Why there is no address, for whoever needs Valkey. */
      readonly absence: string;
    },
  ) {}

  /** Whether it is known that there is none, so that nothing has to be kept for it. */
  get isAbsent(): boolean {
    return this.#isAbsent;
  }

  /** Whether somebody has said where it is: whoever needs it then waits for it rather than do without. */
  get isExpected(): boolean {
    return this.#connections !== null;
  }

  /** Connects to these, and away from others; `null` when there is no Valkey. */
  use(targets: ValkeyTargets | null): void {
    this.#isAbsent = targets === null;
    if (isDeepStrictEqual(targets, this.#targets)) return;
    this.closeConnections();
    this.#targets = targets;
    if (targets === null) return;
    const roles = Object.keys(VALKEY_DATABASES) as ValkeyRole[];
    this.#connections = new Map(roles.map((role) => [role, this.connect(role, targets)]));
    for (const subscription of this.#subscriptions) this.subscribe(subscription);
    log.info('Connecting to Valkey', {
      base: describeTarget(targets.statistics),
      events: describeTarget(targets.events),
    });
  }

  /** Whether it makes sense to try. */
  isReady(role: ValkeyRole): boolean {
    return this.#connections?.get(role)?.isReady ?? false;
  }

  /**
   * Gives commands on the connection of a role, which may break at any time.
   *
   * @throws StorageError UNAVAILABLE at once while there is no connection, or when no answer comes in time
   */
  async run<T>(role: ValkeyRole, work: (client: Redis) => Promise<T>): Promise<T> {
    const connection = this.#connections?.get(role);
    if (!connection) {
      throw new StorageError('UNAVAILABLE', `Valkey cannot be used: ${this.options.absence}`);
    }
    return await connection.run(work);
  }

  /** Calls whenever the connection of the role was made; at once when it is there. */
  whenReady(role: ValkeyRole, listener: Listener): void {
    const listeners = this.#onReady.get(role) ?? new Set();
    this.#onReady.set(role, listeners.add(listener));
    if (this.isReady(role)) listener();
  }

  /** Hears what is published on a channel, on whichever server it is. Messages may be missed. */
  listen(role: ValkeyRole, channel: string, onMessage: (message: string) => void): void {
    const subscription: Subscription = { role, channel, onMessage };
    this.#subscriptions.add(subscription);
    this.subscribe(subscription);
  }

  /** A row for each connection; one that says what it means when there is none. */
  states(): ServiceState[] {
    if (this.#connections) {
      return [...this.#connections].map(([role, connection]) => connection.state(role));
    }
    const message = `${this.options.absence}: ${WITHOUT_EVENTS}`;
    return [{ group: 'redis', id: 'valkey', healthy: true, message, checkedAt: new Date() }];
  }

  /** Makes the rows true. Never rejects. */
  async ping(): Promise<void> {
    await Promise.all([...(this.#connections?.values() ?? [])].map((one) => one.ping()));
  }

  close(): void {
    this.closeConnections();
    this.#subscriptions.clear();
  }

  private connect(role: ValkeyRole, targets: ValkeyTargets): ValkeyConnection {
    const { onRefused } = this.options;
    return new ValkeyConnection({
      name: role,
      database: VALKEY_DATABASES[role],
      target: targets[role],
      onReady: () => {
        for (const listener of this.#onReady.get(role) ?? []) listener();
      },
      ...(onRefused && { onRefused }),
    });
  }

  private subscribe(subscription: Subscription): void {
    const { role, channel, onMessage } = subscription;
    const connection = this.#connections?.get(role);
    if (connection) subscription.end = connection.subscriber(channel, onMessage);
  }

  private closeConnections(): void {
    for (const subscription of this.#subscriptions) subscription.end?.();
    for (const connection of this.#connections?.values() ?? []) connection.close();
    this.#connections = null;
  }
}

interface Subscription {
  readonly role: ValkeyRole;
  readonly channel: string;
  readonly onMessage: (message: string) => void;
  end?: () => void;
}
