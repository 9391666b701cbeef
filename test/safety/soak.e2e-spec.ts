import { setTimeout as sleep } from 'node:timers/promises';
import { HookedServer, type Holdings } from '../torture/hook/hooked-server.js';
import { budgetMs, isLongMode, report, testTimeoutMs } from '../torture/mode.js';
import { Random, SEED } from '../torture/random.js';
import { SoakLoad } from '../torture/soak-load.js';
import { Wire } from '../torture/wire.js';

const WARM_UP_MS = budgetMs(8_000, 0.02);
/** Each of two. */
const HALF_MS = budgetMs(11_000, 0.07);
/** Deletions are swept in the background. */
const REST_MS = 60_000;
/** Of a worker: client, manager and internal. */
const LISTENERS = 3;
const MIB = 1024 * 1024;
/** For the short mode, in which a fast machine may fill most of the memories below, which take six mebibytes. */
const HEAP_SLACK = 10 * MIB;
/**
 * A worker remembers its last 2,000 jobs and of each kind the last 2,048 tokens, a kibibyte each. After so many requests of
 * this load all of these memories are full: what grows from then on is a leak.
 */
const UNTIL_FULL = isLongMode ? 24_000 : 0;
/**
 * What the second half of a long run may add. Collecting garbage leaves half a mebibyte more or less; each request takes 20
 * bytes of the memory of the last 10,000 vfolders swept, and 20 of that of ended jobs, which is as long as they are kept.
 */
const LATE_SLACK = MIB;
const LATE_BYTES_A_REQUEST = 60;

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

/** Mixed load for so long, and for so many requests, and what the worker holds once it is idle again. */
async function soak(
  hooked: HookedServer,
  random: Random,
  durationMs: number,
  leastRequests = 0,
): Promise<{ load: SoakLoad; holdings: Holdings }> {
  const wire = new Wire(hooked.server);
  const load = new SoakLoad(wire, random);
  do await load.run(durationMs);
  while (load.requests < leastRequests);
  wire.close();
  return { load, holdings: await atRest(hooked) };
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
    // A busy machine is no reason to find a volume hanging.
    const hooked = await HookedServer.start({
      config: { health: { 'probe-interval': '60s', 'probe-timeout': '60s' } },
    });
    const random = new Random('soak');
    try {
      const { holdings: before } = await soak(hooked, random, WARM_UP_MS, UNTIL_FULL);
      const first = await soak(hooked, random, HALF_MS);
      const { load, holdings: after } = await soak(hooked, random, HALF_MS);
      report('soak', {
        seed: SEED,
        requests: first.load.requests + load.requests,
        aborts: first.load.aborts + load.aborts,
        'heap MiB before': (before.heapBytes / MIB).toFixed(1),
        'heap MiB half-way': (first.holdings.heapBytes / MIB).toFixed(1),
        'heap MiB after': (after.heapBytes / MIB).toFixed(1),
        descriptors: `${before.descriptors.length} then ${after.descriptors.length}`,
        threads: `${before.threads} then ${after.threads}`,
      });

      expect([...first.load.unexpected, ...load.unexpected]).toEqual([]);
      expect(kinds(after)).toEqual(kinds(before));
      expect(after.resources).toEqual(before.resources);
      // Threads of a volume come and go with its work, two at most.
      expect(after.threads).toBeLessThanOrEqual(before.threads + 2);
      if (isLongMode) {
        const late = LATE_SLACK + LATE_BYTES_A_REQUEST * load.requests;
        expect(after.heapBytes - first.holdings.heapBytes).toBeLessThan(late);
      } else {
        expect(after.heapBytes - before.heapBytes).toBeLessThan(HEAP_SLACK);
      }
      expect(after.externalBytes - before.externalBytes).toBeLessThan(HEAP_SLACK);
    } finally {
      await hooked.stop();
    }
  },
  testTimeoutMs(WARM_UP_MS + 2 * HALF_MS) + UNTIL_FULL * 100,
);
