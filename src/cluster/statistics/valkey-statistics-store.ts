import type { PerformanceMetric } from '../../backend/contract/telemetry.js';
import { StatisticsStore, type Observed } from '../../volume/statistics/statistics-store.js';
import type { Valkey } from '../valkey/valkey.js';

/** Members of the cached object (protocol section 3.3), as the answer on the wire has them. */
const MEMBERS = {
  iopsRead: 'iops_read',
  iopsWrite: 'iops_write',
  ioBytesRead: 'io_bytes_read',
  ioBytesWrite: 'io_bytes_write',
  ioUsecRead: 'io_usec_read',
  ioUsecWrite: 'io_usec_write',
} as const satisfies Record<keyof PerformanceMetric, string>;

const keyOf = (volume: string): string => `storage:volume_stats:${volume}`;

/** Readings in the key that the original uses, so that proxies of both kinds read each other's. */
export class ValkeyStatisticsStore extends StatisticsStore {
  constructor(private readonly valkey: Valkey) {
    super();
  }

  async read(volume: string): Promise<Observed | null> {
    const text = await this.valkey.run('statistics', (client) => client.get(keyOf(volume)));
    return text === null ? null : decode(text);
  }

  async write(volume: string, { metric, observedAt }: Observed, ttlMs: number): Promise<void> {
    const members = Object.entries(MEMBERS).map(([name, member]) => [
      member,
      metric[name as keyof PerformanceMetric],
    ]);
    const text = JSON.stringify({
      volume_name: volume,
      ...Object.fromEntries(members),
      observed_at: observedAt.toISOString().replace('Z', '000+00:00'),
    });
    await this.valkey.run('statistics', (client) =>
      client.set(keyOf(volume), text, 'PX', Math.ceil(ttlMs)),
    );
  }
}

/** `null` for what is no reading. */
function decode(text: string): Observed | null {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const told = new Date(String(value['observed_at']));
    // By a host whose clock is ahead: it would be the newest for as long.
    const observedAt = told.getTime() > Date.now() ? new Date() : told;
    const numbers = Object.entries(MEMBERS).map(([name, member]) => [name, Number(value[member])]);
    const isWhole = numbers.every(([, number]) => Number.isFinite(number));
    if (!isWhole || Number.isNaN(observedAt.getTime())) return null;
    return { metric: Object.fromEntries(numbers) as PerformanceMetric, observedAt };
  } catch {
    return null;
  }
}
