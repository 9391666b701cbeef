import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';
import { CrashLoad } from '../torture/crash/crash-load.js';
import { budgetMs, report, testTimeoutMs } from '../torture/mode.js';
import { Random, SEED } from '../torture/random.js';
import { Wire } from '../torture/wire.js';

const CRASHES_MS = budgetMs(25_000, 0.12);
const SWEEP = join(process.cwd(), 'test/torture/crash/sweep-process.mjs');

let server: TestServer;
let wire: Wire;
const kills = { workers: 0, servers: 0 };

beforeAll(async () => {
  server = await TestServer.start({ config: { 'storage-proxy': { 'num-proc': 2 } } });
  wire = new Wire(server, { patienceMs: 45_000 });
});
afterAll(async () => {
  wire?.close();
  await server?.stop();
});

async function killServer(): Promise<void> {
  await server.crash();
  await server.launch();
  kills.servers++;
}

function killWorker(random: Random): void {
  const workers = childrenOf(server.pid).filter(({ title }) => /worker \d+$/.test(title));
  if (workers.length === 0) return;
  process.kill(random.pick(workers).pid, 'SIGKILL');
  kills.workers++;
}

/** At least one of each, then for as long as there is time. */
async function killAgainAndAgain(): Promise<void> {
  const random = new Random('kills');
  const deadline = Date.now() + CRASHES_MS;
  for (let round = 0; round < 2 || Date.now() < deadline; round++) {
    await sleep(random.between(300, 2_500));
    const whole = round < 2 ? round === 1 : random.chance(0.4);
    if (whole) await killServer();
    else killWorker(random);
  }
}

it(
  'loses nothing that was acknowledged, and leaves nothing half-done, however often it is killed',
  async () => {
    const load = new CrashLoad({ name: 'local', path: server.volumePath() }, wire);
    let goesOn = true;
    const killing = killAgainAndAgain().finally(() => (goesOn = false));
    await load.run(() => goesOn);
    await killing;
    report('crashes', {
      seed: SEED,
      'killed workers': kills.workers,
      'killed servers': kills.servers,
      ...load.figures,
      violations: load.violations.length,
    });
    expect(load.violations).toEqual([]);
    expect(load.figures.resumed).toBeGreaterThan(0);
    for (const folder of load.folders.map((each) => load.pathOf(each)).filter(existsSync)) {
      const left = execFileSync(process.execPath, [SWEEP, folder]).toString();
      expect({ folder, left }).toEqual({ folder, left: '[]' });
    }
  },
  testTimeoutMs(CRASHES_MS),
);
