import { ServiceRegistration, type ServiceFacts } from './discovery/service-registration.js';
import { EtcdClient, type EtcdClientOptions } from './etcd/etcd-client.js';
import { EtcdKeys } from './etcd/etcd-keys.js';
import { EtcdProbe } from './etcd/etcd-probe.js';
import { ValkeyDiscovery } from './etcd/valkey-discovery.js';
import { EventPublisher } from './events/event-publisher.js';
import type { ServiceState } from './service-state.js';
import { ValkeyUploadLeases } from './uploads/valkey-upload-leases.js';
import { NoUploadLeases, type UploadLeases } from '../volume/uploads/upload-leases.js';
import { ValkeyStatisticsStore } from './statistics/valkey-statistics-store.js';
import { Valkey } from './valkey/valkey.js';
import type { ValkeyTarget } from './valkey/valkey-target.js';
import type { VolumeRegistry } from '../volume/volume-registry.js';

/** Where etcd is, and which keys are the site's. */
export interface EtcdOptions extends EtcdClientOptions {
  readonly namespace: string;
}

export interface ClusterOptions {
  readonly nodeId: string;
  /** As configured; wins over what etcd says. */
  readonly valkey: ValkeyTarget | null;
  readonly etcd: EtcdOptions | null;
  /** Whether offsets and leases of uploads are kept in Valkey. */
  readonly uploadRegistry: boolean;
  readonly discovery: { readonly kind: 'redis' | 'etcd'; readonly facts: ServiceFacts } | null;
}

/** How often connections are asked for a sign of life, as the original does for its health report. */
const PING_EVERY_MS = 60_000;

/** The keys of the site in etcd. */
export function etcdKeys({ namespace, ...client }: EtcdOptions, nodeId: string): EtcdKeys {
  return new EtcdKeys(new EtcdClient(client), namespace, nodeId);
}

/**
 * What a Backend.AI site has beside its volumes, for one process: Valkey, found in the configuration or in
 * etcd, and what is told and shared through it. Everything works without, as far as it can.
 */
export class ClusterServices {
  readonly valkey: Valkey;
  readonly events: EventPublisher;
  readonly uploadLeases: UploadLeases;
  readonly statistics: ValkeyStatisticsStore;
  readonly #registration: ServiceRegistration | null;
  readonly #discovery: ValkeyDiscovery | null;
  /** Where etcd is not asked for Valkey. */
  readonly #etcdProbe: EtcdProbe | null;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: ClusterOptions) {
    const { valkey, etcd, nodeId } = options;
    this.valkey = new Valkey({
      absence: etcd ? 'etcd names no Valkey under config/redis' : 'Valkey is not configured',
      onRefused: () => void this.#discovery?.look(),
    });
    this.#discovery =
      etcd && valkey === null
        ? new ValkeyDiscovery(etcdKeys(etcd, nodeId), (targets) => this.valkey.use(targets))
        : null;
    this.#etcdProbe = etcd && valkey ? new EtcdProbe(etcdKeys(etcd, nodeId)) : null;
    this.events = new EventPublisher(this.valkey);
    this.statistics = new ValkeyStatisticsStore(this.valkey);
    this.#registration = this.registration();
    this.uploadLeases = options.uploadRegistry
      ? new ValkeyUploadLeases(this.valkey, nodeId)
      : new NoUploadLeases();
  }

  /** Begins to connect. Resolves when it is known where Valkey is, or that this cannot be found out now. */
  async connect(): Promise<void> {
    const { valkey } = this.options;
    if (this.#discovery) await this.#discovery.start();
    else this.valkey.use(valkey && { statistics: valkey, events: valkey, uploads: valkey });
    // Nobody waits for the sign of life of an etcd that nothing is read from.
    void this.#etcdProbe?.start();
    this.#timer = setInterval(() => void this.valkey.ping(), PING_EVERY_MS).unref();
  }

  /** Begins the work that no request asks for; `first`: what one worker of a group does for all. */
  start(registry: VolumeRegistry, { first }: { first: boolean }): void {
    this.events.start(registry);
    if (first) this.#registration?.start();
  }

  /** A row for each connection. */
  states(): ServiceState[] {
    const etcd = (this.#discovery ?? this.#etcdProbe)?.state();
    return [...(etcd ? [etcd] : []), ...this.valkey.states()];
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#registration?.stop();
    this.events.stop();
    this.#discovery?.stop();
    this.#etcdProbe?.stop();
    this.valkey.close();
  }

  private registration(): ServiceRegistration | null {
    const { discovery, etcd, nodeId } = this.options;
    if (discovery === null) return null;
    const { kind, facts } = discovery;
    if (kind === 'redis') return new ServiceRegistration({ kind, valkey: this.valkey }, facts);
    return etcd && new ServiceRegistration({ kind, keys: etcdKeys(etcd, nodeId) }, facts);
  }
}
