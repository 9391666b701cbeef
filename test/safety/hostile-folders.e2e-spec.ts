import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';
import { Assault } from '../torture/hostile/assault.js';
import { keepsAccessTimes } from '../torture/hostile/canaries.js';
import { weakenedBuild } from '../torture/hostile/weakened.js';
import { budgetMs, report, testTimeoutMs } from '../torture/mode.js';
import { SEED } from '../torture/random.js';

const ASSAULT_MS = budgetMs(40_000, 0.5);
/** The weakened build is found within the first second; this is for machines that are very busy. */
const WEAK_MS = 60_000;

/** In memory an exchange costs a fifth of what it does on a disk, which makes the attackers so much faster. */
const MEMORY = '/dev/shm';
const parent = existsSync(MEMORY) ? MEMORY : tmpdir();

/** Archives are not compressed, so that what does not belong in them can be seen. */
const CONFIG = {
  'storage-proxy': { 'num-proc': 2 },
  downloads: { 'compression-level': 0 },
};

let server: TestServer | undefined;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(parent, 'hostile-'));
  if (!keepsAccessTimes(directory)) {
    process.stderr.write(
      `SKIPPED: seeing by access times what is read outside: ${directory} keeps none\n`,
    );
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

it(
  'nothing outside of a hostile vfolder is read, listed, changed or deleted',
  async () => {
    server = await TestServer.start({ config: CONFIG, parent });
    const workers = childrenOf(server.pid).map(({ pid }) => pid);
    const { figures, violations } = await Assault.run(server, { durationMs: ASSAULT_MS });
    report('hostile folders', {
      seed: SEED,
      requests: figures.requests,
      attempts: figures.attempts,
      swaps: figures.swaps,
      violations: violations.size,
    });
    expect([...violations]).toEqual([]);
    expect(childrenOf(server.pid).map(({ pid }) => pid)).toEqual(workers);
    const operations = Object.entries(figures.answers);
    for (const [name, answers] of operations) {
      // An operation that never succeeds is not being tested.
      const worked = Object.keys(answers).some((status) => status.startsWith('2'));
      expect({ name, answers, worked }).toEqual({ name, answers, worked: true });
    }
  },
  testTimeoutMs(ASSAULT_MS),
);

it(
  'the same assault finds out a build that checks paths before it uses them',
  async () => {
    const main = weakenedBuild(join(directory, 'weakened'));
    server = await TestServer.start({ config: CONFIG, parent, main });
    const { violations } = await Assault.run(server, { durationMs: WEAK_MS, untilViolation: true });
    expect([...violations].filter((what) => what.includes('outside'))).not.toEqual([]);
  },
  testTimeoutMs(WEAK_MS),
);
