import { setTimeout as sleep } from 'node:timers/promises';
import { HookedServer, type Holdings } from '../torture/hook/hooked-server.js';
import { budgetMs, report, testTimeoutMs } from '../torture/mode.js';
import { Random, SEED } from '../torture/random.js';
import { SoakLoad } from '../torture/soak-load.js';
import { Wire } from '../torture/wire.js';

const WARM_UP_MS = budgetMs(8_000, 0.02);
const SOAK_MS = budgetMs(22_000, 0.2);
/** Deletions are swept in the background. */
const REST_MS = 60_000;
/** Of a worker: client, manager and internal. */
const LISTENERS = 3;
const MIB = 1024 * 1024;
/** Less than one kibibyte for each request of the short mode. */
const HEAP_SLACK = 6 * MIB;

/** Ways in which a worker is idle again: connections closed, jobs over, threads retired. */
async function atRest(hooked: HookedServer): Promise<Holdings> {
  for (const deadline = Date.now() + REST_MS; ;) {
    const holdings = await hooked.inspect();
    const onVolume = holdings.descriptors.filter((path) =>
      path.startsWith(hooked.server.volumePath()),
    );
    const connections = sockets(holdings) - LISTENERS;
    if (onVolume.length + connections === 0) return holdings;
    if (Date.now() > deadline) {
      throw new Error(`${connections} connections stay open, and ${onVolume.join(', ')}`);
    }
    await sleep(200);
  }
}

/** The listening ones of a worker are shared, and so not told from connections. */
const sockets = ({ resources }: Holdings): number => resources['TCPSocketWrap'] ?? 0;

/** Kinds of descriptors, without what tells one file or socket from another. */
function kinds({ descriptors }: Holdings): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const path of descriptors) {
    const kind = path.replace(/:\[\d+\]$/, '');
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

it(
  'ends where it began: descriptors, threads, timers, heap',
  async () => {
    const hooked = await HookedServer.start();
    const random = new Random('soak');
    try {
      const warmUp = new Wire(hooked.server);
      await new SoakLoad(warmUp, random).run(WARM_UP_MS);
      warmUp.close();
      const before = await atRest(hooked);

      const wire = new Wire(hooked.server);
      const load = new SoakLoad(wire, random);
      await load.run(SOAK_MS);
      wire.close();
      const after = await atRest(hooked);
      report('soak', {
        seed: SEED,
        requests: load.requests,
        aborts: load.aborts,
        'heap MiB before': (before.heapBytes / MIB).toFixed(1),
        'heap MiB after': (after.heapBytes / MIB).toFixed(1),
        descriptors: `${before.descriptors.length} then ${after.descriptors.length}`,
        threads: `${before.threads} then ${after.threads}`,
      });

      expect(load.unexpected).toEqual([]);
      expect(kinds(after)).toEqual(kinds(before));
      expect(after.resources).toEqual(before.resources);
      // Threads of a volume come and go with its work, two at most.
      expect(after.threads).toBeLessThanOrEqual(before.threads + 2);
      expect(after.heapBytes - before.heapBytes).toBeLessThan(HEAP_SLACK);
      expect(after.externalBytes - before.externalBytes).toBeLessThan(HEAP_SLACK);
    } finally {
      await hooked.stop();
    }
  },
  testTimeoutMs(WARM_UP_MS + SOAK_MS),
);
