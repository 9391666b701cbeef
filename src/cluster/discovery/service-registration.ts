import { randomUUID } from 'node:crypto';
import { formatHostPort, type HostPort } from '../../grammar/host-port.js';
import { loggerFor } from '../../observability/logger.js';
import type { EtcdKeys } from '../etcd/etcd-keys.js';
import type { Valkey } from '../valkey/valkey.js';

const GROUP = 'storage-proxy';
const TTL_SECONDS = 180;
const EVERY_MS = 60_000;

const log = loggerFor('discovery');

export interface ServiceFacts {
  readonly nodeId: string;
  readonly version: string;
  /** Where others reach the manager plane, and the metrics. */
  readonly announced: HostPort;
  readonly announcedInternal: HostPort;
  readonly displayName: string | null;
  readonly labels: Readonly<Record<string, unknown>>;
}

/** Where the registration is kept. */
export type Registry =
  | { readonly kind: 'redis'; readonly valkey: Valkey }
  | { readonly kind: 'etcd'; readonly keys: EtcdKeys };

/**
 * Tells whoever scrapes metrics where this proxy is (protocol section 7.3), again every minute: without that the
 * entry goes away by itself. One for each process group.
 */
export class ServiceRegistration {
  readonly #id = randomUUID();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly registry: Registry,
    private readonly facts: ServiceFacts,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.beat(), EVERY_MS).unref();
    if (this.registry.kind === 'redis') {
      this.registry.valkey.whenReady('statistics', () => void this.beat());
    } else void this.beat();
  }

  /** Removes the entry, if that is possible at once. Never rejects. */
  async stop(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.remove().catch(() => undefined);
  }

  private async beat(): Promise<void> {
    try {
      await this.write(Object.entries(this.fields()));
    } catch (error) {
      log.debug('The registration was not renewed', { err: error });
    }
  }

  private async write(fields: readonly [name: string, value: unknown][]): Promise<void> {
    const encoded = fields.map(([name, value]): [string, string] => [name, JSON.stringify(value)]);
    if (this.registry.kind === 'redis') {
      await this.registry.valkey.run('statistics', async (client) => {
        const key = this.valkeyKey();
        await client.multi().hset(key, new Map(encoded)).expire(key, TTL_SECONDS).exec();
      });
      return;
    }
    for (const [name, value] of encoded) {
      await this.registry.keys.put(`${this.etcdPrefix()}/${name}`, value, {
        ttlSeconds: TTL_SECONDS,
      });
    }
  }

  private async remove(): Promise<void> {
    if (this.registry.kind === 'etcd')
      return await this.registry.keys.removeBelow(this.etcdPrefix());
    await this.registry.valkey.run('statistics', (client) => client.del(this.valkeyKey()));
  }

  private fields(): Record<string, unknown> {
    const { nodeId, version, announced, announcedInternal, displayName, labels } = this.facts;
    return {
      id: this.#id,
      display_name: displayName ?? `storage-${nodeId}`,
      service_group: GROUP,
      version,
      endpoint: {
        address: announced.host,
        port: announced.port,
        protocol: 'http',
        prometheus_address: formatHostPort(announcedInternal),
      },
      health_status: {
        registration_time: this.#since,
        last_heartbeat: Date.now() / 1_000,
        status: 'HEALTHY',
      },
      labels,
    };
  }

  readonly #since = Date.now() / 1_000;

  private valkeyKey(): string {
    return `service_discovery.${GROUP}.${this.#id}`;
  }

  private etcdPrefix(): string {
    return `ai/backend/service_discovery/${GROUP}/${this.#id}`;
  }
}
