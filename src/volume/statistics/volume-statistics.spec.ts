import type { PerformanceMetric } from '../../backend/contract/telemetry.js';
import { StorageError } from '../../errors/storage-error.js';
import type { DomainSettings } from '../domain-settings.js';
import type { VolumeRegistry } from '../volume-registry.js';
import { LocalWorkerBus } from '../worker-bus.js';
import { NoStatisticsStore, StatisticsStore, type Observed } from './statistics-store.js';
import { VolumeStatistics } from './volume-statistics.js';

const metric = (iopsRead: number): PerformanceMetric => ({
  iopsRead,
  iopsWrite: 1,
  ioBytesRead: 2,
  ioBytesWrite: 3,
  ioUsecRead: 4.5,
  ioUsecWrite: 5.5,
});

class SharedStore extends StatisticsStore {
  readonly kept = new Map<string, Observed>();
  broken = false;

  async read(volume: string): Promise<Observed | null> {
    if (this.broken) throw new StorageError('UNAVAILABLE');
    return this.kept.get(volume) ?? null;
  }
  async write(volume: string, observed: Observed): Promise<void> {
    if (this.broken) throw new StorageError('UNAVAILABLE');
    this.kept.set(volume, observed);
  }
}

interface RigOptions {
  readonly store?: StatisticsStore;
  readonly cacheTtlMs?: number;
}

function rig({ store = new NoStatisticsStore(), cacheTtlMs = 60_000 }: RigOptions = {}) {
  let measured = 0;
  const telemetry = {
    measuresPerformance: true,
    performanceMetric: async (): Promise<PerformanceMetric> => {
      if (!telemetry.measuresPerformance) throw new StorageError('UNSUPPORTED');
      measured += 1;
      return metric(measured);
    },
  };
  const volume = {
    name: 'flash',
    isUsable: true,
    strategies: { telemetry },
    run: <T>(_operation: string, work: () => Promise<T>) => work(),
  };
  const registry = { get: () => volume, all: () => [volume] } as unknown as VolumeRegistry;
  const settings = {
    volumeStats: { observeIntervalMs: 60_000, observeTimeoutMs: 1_000, cacheTtlMs },
  } as DomainSettings;
  const bus = new LocalWorkerBus();
  const worker = (): VolumeStatistics => new VolumeStatistics(registry, bus, store, settings);
  return { worker, telemetry, volume, measured: () => measured };
}

/** What handlers of the bus do is done a moment after. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('VolumeStatistics', () => {
  it('measures once while a reading is fresh, for all workers of the group', async () => {
    const { worker, measured } = rig();
    const [first, second] = [worker(), worker()];
    const observed = await first.get('flash');
    await settled();
    expect((await second.get('flash')).metric).toEqual(observed.metric);
    expect(measured()).toBe(1);
  });

  it('measures again when the reading has aged', async () => {
    const { worker, measured } = rig({ cacheTtlMs: 0 });
    const statistics = worker();
    await statistics.get('flash');
    await statistics.get('flash');
    expect(measured()).toBe(2);
  });

  it('takes the reading of another proxy', async () => {
    const store = new SharedStore();
    store.kept.set('flash', { metric: metric(77), observedAt: new Date() });
    const { worker, measured } = rig({ store });
    expect((await worker().get('flash')).metric.iopsRead).toBe(77);
    expect(measured()).toBe(0);
  });

  it('does without a store that cannot be reached', async () => {
    const store = new SharedStore();
    store.broken = true;
    const { worker } = rig({ store });
    expect((await worker().get('flash')).metric.iopsRead).toBe(1);
  });

  it('reads ahead of requests, and shares that', async () => {
    const store = new SharedStore();
    const { worker, measured } = rig({ store });
    const statistics = worker();
    statistics.start();
    await settled();
    statistics.stop();
    expect(store.kept.get('flash')?.metric.iopsRead).toBe(1);
    await statistics.get('flash');
    expect(measured()).toBe(1);
  });

  it('refuses where the backend measures nothing', async () => {
    const { worker, telemetry } = rig();
    telemetry.measuresPerformance = false;
    await expect(worker().get('flash')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('does not answer for a volume that is away', async () => {
    const { worker, volume, measured } = rig();
    const statistics = worker();
    await statistics.get('flash');
    volume.isUsable = false;
    await statistics.get('flash');
    expect(measured()).toBe(2);
  });

  it('does not wait for a store that does not answer', async () => {
    const store = new SharedStore();
    store.read = () => new Promise(() => undefined);
    const { worker } = rig({ store });
    expect((await worker().get('flash')).metric).toEqual(metric(1));
  });
});
