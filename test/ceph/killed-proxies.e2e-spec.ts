import fs from 'node:fs';
import { ManagerEvents } from '../support/manager-events.js';
import { ProxyPair } from '../support/proxy-pair.js';
import { ValkeyServer } from '../support/valkey-server.js';
import { killHosts } from '../torture/cluster/kill-hosts.js';
import { QuotaLoad } from '../torture/cluster/quota-load.js';
import { CrashLoad } from '../torture/crash/crash-load.js';
import { budgetMs, isLongMode, report, testTimeoutMs } from '../torture/mode.js';
import { Random, SEED } from '../torture/random.js';
import { Wire } from '../torture/wire.js';
import { CephDirectory } from './rig.js';

const KILLING_MS = budgetMs(12_000, 1);

/** As on two hosts that share nothing but the filesystem and Valkey: each proxy has a client of Ceph of its own. */
describe('two proxies on two mounts behind a plain balancer, either of which may be killed', () => {
  let directory: CephDirectory;
  let valkey: ValkeyServer;
  let pair: ProxyPair;
  let events: ManagerEvents;
  let wire: Wire;

  beforeAll(async () => {
    directory = new CephDirectory();
    fs.writeFileSync(directory.on('operator', 'version.txt'), '3\n');
    valkey = await ValkeyServer.start();
    // The locks of CephFS reach both, and tell at once that a writer is dead; a lease lasts for half a minute more.
    const config = { jobs: { 'takeover-after': '9s' }, valkey: { 'upload-registry': isLongMode } };
    const mounts = { one: directory.on('a'), two: directory.on('b') };
    pair = await ProxyPair.start(valkey, config, { backend: 'cephfs', mounts });
    events = await new ManagerEvents(valkey).start();
    wire = new Wire(pair, { patienceMs: 45_000 });
  });
  afterAll(async () => {
    wire?.close();
    await events?.stop();
    await pair?.stop();
    await valkey?.remove();
    await directory?.remove();
  });

  it(
    'lose nothing, end every job once, and agree',
    async () => {
      const load = new CrashLoad({ name: 'local', path: directory.on('operator') }, wire);
      const quotas = new QuotaLoad('local', wire, new Random('limits'));
      let isOver = false;
      const killing = killHosts([pair.one, pair.two], new Random('hosts'), KILLING_MS);
      const [kills] = await Promise.all([
        killing.finally(() => (isOver = true)),
        load.run(() => !isOver),
        quotas.run(() => !isOver),
      ]);
      report('killed proxies', {
        seed: SEED,
        kills: kills.join(' and '),
        ...load.figures,
        'quota changes': quotas.changes,
        violations: load.violations.length + quotas.violations.length,
      });
      expect([...load.violations, ...quotas.violations]).toEqual([]);
      expect(load.figures.resumed).toBeGreaterThan(0);
      for (const { name, vfid, most } of load.promised) {
        await events.until(vfid);
        const told = events.about(vfid).filter((event) => event.name === name);
        expect(told.length).toBeGreaterThan(0);
        expect(told.length).toBeLessThanOrEqual(most);
      }
    },
    testTimeoutMs(KILLING_MS),
  );
});
