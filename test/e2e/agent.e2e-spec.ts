import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { AgentClient } from '../../src/agent/client/agent-client.js';
import { TestAgent } from '../support/agent.js';
import { built } from '../support/built.js';
import { childrenOf, isRunning, statusOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';

const NOBODY = 65_534;
const TENANT = 4321;
const VFID = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? it : it.skip;
if (!isRoot)
  process.stderr.write('SKIPPED: what the agent does for other users, which needs root\n');

jest.setTimeout(180_000);

const bytes = (text: string): Buffer => Buffer.from(text);

describe('storage-proxy agent', () => {
  let agent: TestAgent;
  let client: AgentClient;
  const at = (name: string): string => join(agent.volumePath, name);

  beforeAll(async () => {
    agent = new TestAgent({ agent: { mode: '666' } });
    await agent.start();
    const { AgentClient: Client } = await built<
      typeof import('../../src/agent/client/agent-client.js')
    >('agent/client/agent-client.js');
    client = new Client({ socket: agent.socket, patienceMs: 60_000 });
  });
  afterAll(async () => {
    client.close();
    await agent.dispose();
  });

  it('listens on the configured socket with the configured mode', () => {
    const { mode, uid } = statSync(agent.socket);
    expect(mode & 0o777).toBe(0o666);
    expect(uid).toBe(process.getuid!());
  });

  it('removes a tree with links in it, and nothing that they lead to', async () => {
    mkdirSync(at('tree/a/b'), { recursive: true });
    writeFileSync(at('tree/a/b/file'), '');
    mkdirSync(at('bystander'));
    writeFileSync(at('bystander/precious'), '');
    symlinkSync('../bystander', at('tree/link'));
    await client.removeTree('local', bytes('tree'), { keepDirectory: true });
    expect(readdirSync(at('tree'))).toEqual([]);
    await client.removeTree('local', bytes('tree'));
    await client.removeTree('local', bytes('tree'));
    expect(existsSync(at('tree'))).toBe(false);
    expect(readdirSync(at('bystander'))).toEqual(['precious']);
  });

  it('follows no link on the way, and leaves its volume by no path', async () => {
    mkdirSync(join(agent.directory, 'outside/dir'), { recursive: true });
    mkdirSync(at('inside/dir'), { recursive: true });
    symlinkSync('../outside', at('out'));
    symlinkSync('inside', at('in'));
    symlinkSync('/', at('root'));
    for (const path of ['out/dir', 'in/dir', 'root/tmp']) {
      await expect(client.removeTree('local', bytes(path))).rejects.toThrow(/ELOOP|EXDEV/);
      await expect(client.chown('local', bytes(path), 1, 1)).rejects.toThrow(/ELOOP|EXDEV/);
    }
    for (const path of ['../outside', '/etc', '.', 'inside/../..']) {
      const refused = { code: 'INVALID_ARGUMENT' };
      await expect(client.removeTree('local', bytes(path))).rejects.toMatchObject(refused);
    }
    await expect(client.removeTree('other', bytes('x'))).rejects.toThrow('no volume "other"');
    expect(existsSync(join(agent.directory, 'outside/dir'))).toBe(true);
    expect(existsSync(at('inside/dir'))).toBe(true);
  });

  it('says of a volume without quotas that it has none', async () => {
    await expect(client.checkVolume('local')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(client.limitProject('local', bytes('x'), {})).rejects.toThrow('no projects');
  });

  it('logs each request', async () => {
    await client.removeTree('local', bytes('not/there'));
    await agent.until('the record', () =>
      agent.log.some(({ msg, path }) => msg === 'Request' && path === 'not/there'),
    );
    expect(agent.log.find(({ path }) => path === 'not/there')).toMatchObject({
      operation: 'remove-tree',
      volume: 'local',
      peer_pid: process.pid,
      outcome: 'done',
    });
  });

  asRoot('gives entries away, a link itself and not what it leads to', async () => {
    writeFileSync(at('file'), '');
    chmodSync(at('file'), 0o4755);
    symlinkSync('file', at('link'));
    await client.chown('local', bytes('link'), TENANT, TENANT);
    expect(lstatSync(at('link')).uid).toBe(TENANT);
    expect(lstatSync(at('file')).uid).toBe(0);
    await client.chown('local', bytes('file'), TENANT, TENANT);
    // The kernel takes the set-id bits away.
    expect(lstatSync(at('file'))).toMatchObject({ uid: TENANT, mode: 0o100755 });
  });

  asRoot('refuses a peer that may not use it, whatever the mode of the socket', async () => {
    const script = `import { AgentClient } from ${JSON.stringify(join(process.cwd(), 'dist/agent/client/agent-client.js'))};
process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});
const client = new AgentClient({ socket: ${JSON.stringify(agent.socket)} });
await client.removeTree('local', Buffer.from('bystander')).catch((error) => console.log(error.code, error.message));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/FORBIDDEN The agent does not serve uid 65534.*allowed-users/);
    expect(existsSync(at('bystander'))).toBe(true);
    await agent.until('the record', () => agent.output.includes('A peer is refused'));
  });

  it('loses nothing when it is killed and restarted under load', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `load/${index}`);
    for (const name of names) {
      mkdirSync(at(`${name}/sub`), { recursive: true });
      writeFileSync(at(`${name}/sub/file`), '');
    }
    const answers = Promise.all(names.map((name) => client.removeTree('local', bytes(name))));
    const first = agent.agentPid!;
    await agent.until('some to be removed', () => readdirSync(at('load')).length < names.length);
    process.kill(first, 'SIGKILL');
    await agent.until('another agent', () => ![undefined, first].includes(agent.agentPid));
    // And once more all of it, as a crash of the machine's service would.
    await agent.end('SIGKILL');
    await agent.start();
    await answers;
    expect(readdirSync(at('load'))).toEqual([]);
    expect(isRunning(first)).toBe(false);
  });

  it('loads nothing that reads a configuration, since clients wait while it starts again', () => {
    const packages = packagesOf('dist/cli/agent/agent-main.js');
    expect(packages).toContain('pino');
    expect(packages.filter((name) => /^(@nestjs|rxjs|class-|reflect-)/.test(name))).toEqual([]);
  });

  it('is only one on its socket, and says so', async () => {
    const second = spawnSync(process.execPath, ['dist/main.js', 'agent', '-f', agent.configFile], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(second.status).toBe(1);
    expect(second.stdout + second.stderr).toContain('another agent listens on');
    await client.removeTree('local', bytes('x'));
  });

  it('ends politely, and takes its socket with it', async () => {
    expect(await agent.end()).toBe(0);
    expect(existsSync(agent.socket)).toBe(false);
  });
});

(isRoot ? describe : describe.skip)('serve with an agent of its own', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.prepare({
      config: {
        'storage-proxy': { user: NOBODY, group: NOBODY },
        agent: { start: 'always' },
      },
    });
    chownSync(server.volumePath(), NOBODY, NOBODY);
    await server.launch();
  });
  afterAll(() => server.stop());

  const agentOf = () =>
    childrenOf(server.pid).find(({ title }) => title === 'storage-proxy: agent');

  it('keeps privileges in the agent and none in the workers', () => {
    expect(statusOf(agentOf()!.pid, 'Uid')[0]).toBe('0');
    const worker = childrenOf(server.pid).find(({ title }) => title.includes('worker'));
    expect(statusOf(worker!.pid, 'Uid')[0]).toBe(String(NOBODY));
  });

  /** A directory of somebody else, closed to the workers, in a vfolder that is made when it is missing. */
  const makeForeign = async (vfolder: object): Promise<string> => {
    expect((await server.manager('POST', '/folder/create', vfolder)).status).toBe(204);
    const { json } = await server.manager('GET', '/folder/mount', { ...vfolder, subpath: '.' });
    const foreign = join(String(json['path']), 'foreign');
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'file'), '');
    for (const path of [join(foreign, 'file'), foreign]) chownSync(path, TENANT, TENANT);
    chmodSync(foreign, 0o700);
    return foreign;
  };

  it('deletes a directory of somebody else inside a vfolder', async () => {
    const vfolder = { volume: 'local', vfid: VFID };
    const foreign = await makeForeign(vfolder);
    const request = { ...vfolder, relpaths: ['foreign'], recursive: true };
    const deleted = await server.manager('POST', '/folder/file/delete', request);
    expect(deleted.status).toBeLessThan(300);
    await server.until('it to be gone', () => !existsSync(foreign));
  });

  it('deletes a vfolder with files of somebody else, also after the agent was killed', async () => {
    for (const round of [1, 2]) {
      const vfolder = { volume: 'local', vfid: VFID };
      await makeForeign(vfolder);
      if (round === 2) process.kill(agentOf()!.pid, 'SIGKILL');
      const deleted = await server.manager('POST', '/folder/delete', vfolder);
      expect(deleted.status).toBeLessThan(300);
      await server.until('the trash to be swept', () => trashOf(server) === 0);
    }
  });
});

/** What a built module and those it imports, without what they load when they need it, import from elsewhere. */
function packagesOf(entry: string): string[] {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/^(?:im|ex)port .*'([^']+)';$/gm)) {
      if (name!.startsWith('.')) visit(join(dirname(file), name!));
      else packages.add(name!);
    }
  };
  visit(entry);
  return [...packages];
}

/** Deletions that are still in a scope's trash. */
function trashOf(server: TestServer): number {
  return readdirSync(server.volumePath())
    .map((scope) => join(server.volumePath(), scope, '.trash'))
    .filter((trash) => existsSync(trash))
    .reduce((sum, trash) => sum + readdirSync(trash).length, 0);
}
