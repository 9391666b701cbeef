import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentClient } from '../../src/agent/client/agent-client.js';
import { TestAgent } from '../support/agent.js';
import { built } from '../support/built.js';
import { childrenOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';
import { assaultAgent } from '../torture/hostile/agent-assault.js';
import { Assault } from '../torture/hostile/assault.js';
import { DomainAssault } from '../torture/hostile/domain-assault.js';
import { keepsAccessTimes } from '../torture/hostile/canaries.js';
import { weakenedBuild, type WeakenedBuild } from '../torture/hostile/weakened.js';
import { budgetMs, report, testTimeoutMs } from '../torture/mode.js';
import { SEED } from '../torture/random.js';

const ASSAULT_MS = budgetMs(38_000, 0.22);
const DOMAIN_MS = budgetMs(8_000, 0.3);
const AGENT_MS = budgetMs(6_000, 0.03);
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
const weakened = (): WeakenedBuild => weakenedBuild(join(directory, 'weakened'));

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
  },
  testTimeoutMs(ASSAULT_MS),
);

it(
  'the same assault finds out a build that checks paths before it uses them',
  async () => {
    const { main } = weakened();
    server = await TestServer.start({ config: CONFIG, parent, main });
    const { violations } = await Assault.run(server, { durationMs: WEAK_MS, untilViolation: true });
    expect([...violations].filter((what) => what.includes('outside'))).not.toEqual([]);
  },
  testTimeoutMs(WEAK_MS),
);

it(
  'the domain itself, asked without requests between, touches nothing outside either',
  async () => {
    const { figures, violations } = await DomainAssault.run({
      directory: mkdtempSync(join(directory, 'domain-')),
      dist: join(process.cwd(), 'dist'),
      durationMs: DOMAIN_MS,
    });
    report('hostile folders, domain', {
      seed: SEED,
      ...figures,
      violations: violations.size,
    });
    expect([...violations]).toEqual([]);
  },
  testTimeoutMs(DOMAIN_MS),
);

it(
  'that, too, finds out a build that checks paths before it uses them',
  async () => {
    const { violations } = await DomainAssault.run({
      directory: mkdtempSync(join(directory, 'domain-')),
      dist: weakened().dist,
      durationMs: WEAK_MS,
      untilViolation: true,
    });
    expect([...violations].filter((what) => what.includes('outside'))).not.toEqual([]);
  },
  testTimeoutMs(WEAK_MS),
);

it(
  'the agent, asked for paths in a hostile vfolder, touches nothing outside of it',
  async () => {
    const agent = new TestAgent();
    const { AgentClient: Client } = await built<{ AgentClient: typeof AgentClient }>(
      'agent/client/agent-client.js',
    );
    let client: AgentClient | undefined;
    try {
      await agent.start();
      client = new Client({ socket: agent.socket, patienceMs: 60_000 });
      const { figures, violations } = await assaultAgent(client, agent, AGENT_MS);
      report('hostile folders, agent', {
        seed: SEED,
        ...figures,
        violations: violations.length,
      });
      expect(violations).toEqual([]);
      // Neither everything nor nothing is refused, or one of the two is not being tested.
      expect(figures.refused).toBeGreaterThan(0);
      expect(figures.refused).toBeLessThan(figures.attempts);
    } finally {
      client?.close();
      await agent.dispose();
    }
  },
  testTimeoutMs(AGENT_MS),
);
