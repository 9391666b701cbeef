import type { EtcdKeys } from '../etcd/etcd-keys.js';
import type { Valkey } from '../valkey/valkey.js';
import { ServiceRegistration, type Registry } from './service-registration.js';

const FACTS = {
  nodeId: 'here',
  version: '1.2.3',
  announced: { host: 'proxy.example', port: 6022 },
  announcedInternal: { host: 'proxy.example', port: 16023 },
  displayName: null,
  labels: { rack: 7 },
};
const TTL_SECONDS = 180;
const MINUTE_MS = 60_000;

type Entry = Record<string, unknown>;

/** A place for registrations, with what was written there, one after another. */
interface Place {
  readonly registry: Registry;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly ttls: number[];
}

function inValkey(): Place {
  const entries = new Map<string, Entry>();
  const ttls: number[] = [];
  const transaction = {
    hset: (key: string, fields: Map<string, string>) => {
      const decoded = [...fields].map(([name, text]) => [name, JSON.parse(text) as unknown]);
      entries.set(key, Object.fromEntries(decoded) as Entry);
      return transaction;
    },
    expire: (_key: string, seconds: number) => {
      ttls.push(seconds);
      return transaction;
    },
    exec: async () => [],
  };
  const client = { multi: () => transaction, del: async (key: string) => entries.delete(key) };
  const valkey = {
    whenReady: (_role: string, listener: () => void) => listener(),
    run: async (_role: string, work: (to: typeof client) => Promise<unknown>) => work(client),
  };
  return { registry: { kind: 'redis', valkey: valkey as unknown as Valkey }, entries, ttls };
}

function inEtcd(): Place {
  const entries = new Map<string, Entry>();
  const ttls: number[] = [];
  const keys = {
    put: async (path: string, text: string, { ttlSeconds }: { ttlSeconds: number }) => {
      const at = path.lastIndexOf('/');
      const key = path.slice(0, at);
      const known = entries.get(key) ?? {};
      entries.set(key, { ...known, [path.slice(at + 1)]: JSON.parse(text) as unknown });
      ttls.push(ttlSeconds);
      return Promise.resolve();
    },
    removeBelow: async (prefix: string) => Promise.resolve(void entries.delete(prefix)),
  };
  return { registry: { kind: 'etcd', keys: keys as unknown as EtcdKeys }, entries, ttls };
}

describe.each([
  ['Valkey', inValkey, /^service_discovery\.storage-proxy\.[0-9a-f-]{36}$/],
  ['etcd', inEtcd, /^ai\/backend\/service_discovery\/storage-proxy\/[0-9a-f-]{36}$/],
])('a registration in %s', (_, placeOf, keyForm) => {
  beforeEach(() => jest.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => jest.useRealTimers());

  it('is renewed every minute long before it would go away, and removed at the end', async () => {
    const { registry, entries, ttls } = placeOf();
    const registration = new ServiceRegistration(registry, FACTS);
    registration.start();
    await jest.advanceTimersByTimeAsync(0);
    expect([...entries.keys()]).toEqual([expect.stringMatching(keyForm)]);
    const heartbeat = (): unknown => [...entries.values()][0]!['health_status'];
    const since = { registration_time: 1_000, status: 'HEALTHY' };
    expect(heartbeat()).toEqual({ ...since, last_heartbeat: 1_000 });

    for (const seconds of [1_060, 1_120]) {
      await jest.advanceTimersByTimeAsync(MINUTE_MS);
      expect(heartbeat()).toEqual({ ...since, last_heartbeat: seconds });
    }
    expect(entries.size).toBe(1);
    expect(new Set(ttls)).toEqual(new Set([TTL_SECONDS]));

    await registration.stop();
    expect(entries.size).toBe(0);
    await jest.advanceTimersByTimeAsync(2 * MINUTE_MS);
    expect(entries.size).toBe(0);
  });
});
