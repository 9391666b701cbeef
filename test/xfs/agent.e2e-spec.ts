import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentClient } from '../../src/agent/client/agent-client.js';
import { TestAgent } from '../support/agent.js';
import { built } from '../support/built.js';
import { childrenOf, statusOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';

const MOUNT = process.env['STORAGE_PROXY_TEST_XFS'] ?? '/mnt/xfs';
const NOBODY = 65_534;
const MIB = 1024 * 1024;
const SCOPE = 'user:0f0e0d0c-0b0a-4090-8070-605040302010';

jest.setTimeout(240_000);

/** A directory of its own on the XFS, and the volume that it is. */
function makeVolume() {
  const path = mkdtempSync(join(MOUNT, 'agent-'));
  const files = mkdtempSync('/tmp/agent-projects-');
  const options = {
    'lock-file-path': join(files, 'lock'),
    'projects-file': join(files, 'projects'),
    'projid-file': join(files, 'projid'),
  };
  return {
    path,
    table: { backend: 'xfs', path, options },
    dispose() {
      for (const directory of [path, files]) rmSync(directory, { recursive: true, force: true });
    },
  };
}

describe('Project quotas through the agent', () => {
  const volume = makeVolume();
  let agent: TestAgent;
  let client: AgentClient;

  beforeAll(async () => {
    agent = new TestAgent({ volumes: { quota: volume.table }, agent: { mode: '666' } });
    await agent.start();
    const { AgentClient: Client } = await built<
      typeof import('../../src/agent/client/agent-client.js')
    >('agent/client/agent-client.js');
    client = new Client({ socket: agent.socket, patienceMs: 120_000 });
  });
  afterAll(async () => {
    client.close();
    await agent.dispose();
    volume.dispose();
  });

  const directory = (name: string): Buffer => {
    mkdirSync(join(volume.path, name), { recursive: true });
    return Buffer.from(name);
  };

  it('are made, changed and told', async () => {
    const path = directory('scope');
    await client.checkVolume('quota');
    const made = await client.initialiseProject('quota', path, { hardBytes: 8 * MIB });
    expect(made).toMatchObject({ hardBytes: 8 * MIB, usedInodes: 1, softBytes: null });
    await client.limitProject('quota', path, { hardBytes: 4 * MIB, hardInodes: 10 });
    const told = await client.describeProject('quota', path);
    expect(told).toMatchObject({ projectId: made.projectId, hardBytes: 4 * MIB, hardInodes: 10 });
    await client.releaseProject('quota', path);
    expect(await client.describeProject('quota', directory('other'))).toBeNull();
  });

  it('are refused outside the volume and through links', async () => {
    const outside = mkdtempSync(join(MOUNT, 'outside-'));
    try {
      symlinkSync(outside, join(volume.path, 'out'));
      directory('inside/dir');
      symlinkSync('inside', join(volume.path, 'in'));
      for (const path of ['out', 'in', 'in/dir']) {
        const refused = client.initialiseProject('quota', Buffer.from(path), { hardBytes: MIB });
        await expect(refused).rejects.toThrow(/ELOOP|EXDEV|ENOTDIR/);
      }
      for (const path of ['..', '../outside', MOUNT]) {
        const refused = client.initialiseProject('quota', Buffer.from(path), {});
        await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  it('are refused to a peer without permission', () => {
    const path = directory('wanted').toString();
    const module = join(process.cwd(), 'dist/agent/client/agent-client.js');
    const script = `import { AgentClient } from ${JSON.stringify(module)};
process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});
const client = new AgentClient({ socket: ${JSON.stringify(agent.socket)} });
await client.initialiseProject('quota', Buffer.from('${path}'), {}).catch((error) => console.log(error.code));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stdout.trim()).toBe('FORBIDDEN');
  });

  it('survive that the agent is killed while they are made', async () => {
    const paths = Array.from({ length: 40 }, (_, index) => directory(`load/${index}`));
    const asked = Promise.all(
      paths.map((path) => client.initialiseProject('quota', path, { hardBytes: MIB })),
    );
    const first = agent.agentPid!;
    const isMade = (): boolean =>
      agent.log.some(
        ({ operation, path }) =>
          operation === 'initialise-project' && String(path).startsWith('load/'),
      );
    await agent.until('some to be made', isMade);
    process.kill(first, 'SIGKILL');
    const made = await asked;
    expect(new Set(made.map(({ projectId }) => projectId)).size).toBe(paths.length);
    for (const path of paths.slice(0, 5)) {
      expect(await client.describeProject('quota', path)).toMatchObject({ hardBytes: MIB });
    }
    expect(agent.agentPid).not.toBe(first);
  });
});

describe('An unprivileged proxy on XFS', () => {
  const volume = makeVolume();
  let server: TestServer;

  beforeAll(async () => {
    chownSync(volume.path, NOBODY, NOBODY);
    server = await TestServer.start({
      volumes: [],
      config: {
        'storage-proxy': { user: NOBODY, group: NOBODY },
        volume: { quota: volume.table },
        // A guest has one slow processor: nothing here may depend on how fast an answer comes.
        health: { 'probe-interval': '1m', 'probe-timeout': '50s' },
        limits: { 'operation-timeout': '2m' },
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    volume.dispose();
  });

  it('sets limits of quota scopes through an agent of its own', async () => {
    const worker = childrenOf(server.pid).find(({ title }) => title.includes('worker'));
    expect(statusOf(worker!.pid, 'Uid')[0]).toBe(String(NOBODY));
    const scope = { volume: 'quota', qsid: SCOPE };
    const options = { limit_bytes: 16 * MIB };
    expect((await server.manager('POST', '/quota-scope', { ...scope, options })).status).toBe(204);
    const { json } = await server.manager('GET', '/quota-scope', scope);
    expect(json).toMatchObject({ limit_bytes: 16 * MIB });
  });
});
