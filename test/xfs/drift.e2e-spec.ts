import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { stringify } from 'smol-toml';
import type * as driftModule from '../../src/backend/xfs/drift/quota-drift.js';
import type * as ffiModule from '../../src/native/ffi.js';
import type { Finding } from '../../src/backend/xfs/drift/finding.js';
import { built } from '../support/built.js';
import { KIB, makeAgent, MIB, Projects, ScratchVolume } from './support/guest.js';

const A = 'a0000000000000000000000000000001';
const B = 'b0000000000000000000000000000002';
const VFOLDER = 'ab/cd/0123456789abcdef0123456789ab';
const VFOLDER_NAME = 'abcd0123-4567-89ab-cdef-0123456789ab';

describe('quota check', () => {
  let projects: Projects;
  let volume: ScratchVolume;
  let agent: Awaited<ReturnType<typeof makeAgent>>;
  let firstId = 500_000;
  let neighbours: string[] = [];
  let QuotaDrift: typeof driftModule.QuotaDrift;

  beforeAll(async () => {
    projects = await Projects.load();
    ({ QuotaDrift } = await built<typeof driftModule>('backend/xfs/drift/quota-drift.js'));
  });
  beforeEach(async () => {
    // What the test before has left are ids without a directory.
    firstId += 1_000;
    volume = new ScratchVolume('v', { projectIdMin: firstId, projectIdMax: firstId + 999 });
    agent = await makeAgent(volume.settings);
  });
  afterEach(() => {
    volume.dispose();
    neighbours = [];
  });

  const driftOf = (
    fix: boolean,
    onFinding: (finding: Finding) => void,
    onProgress = (): void => undefined,
  ): driftModule.QuotaDrift =>
    new QuotaDrift(volume.settings as ConstructorParameters<typeof QuotaDrift>[0], {
      fix,
      neighbours,
      onFinding,
      onProgress,
    });
  const run = async (fix = false): Promise<Finding[]> => {
    const findings: Finding[] = [];
    await driftOf(fix, (finding) => void findings.push(finding)).run();
    return findings;
  };
  const kinds = (findings: readonly Finding[]): string[] =>
    findings.map(({ kind, path: where, state }) => `${state} ${kind} ${where}`).toSorted();
  /** What is found, that it is repaired, and that nothing is found then. */
  const expectRepairable = async (...expected: string[]): Promise<void> => {
    expect(kinds(await run())).toEqual(expected.map((each) => `found ${each}`));
    expect(kinds(await run())).toEqual(expected.map((each) => `found ${each}`));
    expect(kinds(await run(true))).toEqual(expected.map((each) => `repaired ${each}`));
    expect(await run()).toEqual([]);
  };
  const makeScope = async (name: string, hardBytes = MIB): Promise<number> =>
    (await agent.initialiseProject('v', volume.mkdir(name), { hardBytes })).projectId;

  it('finds nothing where everything is in order, and leaves other directories alone', async () => {
    await makeScope(A);
    await makeScope(VFOLDER);
    fs.writeFileSync(volume.at(A, 'file'), 'x');
    volume.mkdir('.storage-proxy/jobs');
    volume.mkdir('lost+found');
    volume.mkdir('.trash');
    expect(await run()).toEqual([]);
  });

  it('charges a scope and a vfolder without a project, and all they hold', async () => {
    volume.mkdir(`${A}/deep/er`);
    fs.writeFileSync(volume.at(A, 'deep/er/file'), Buffer.alloc(64 * KIB));
    volume.mkdir('outside');
    fs.symlinkSync(volume.at('outside'), volume.at(A, 'link'));
    volume.mkdir(VFOLDER);
    await expectRepairable(`no-project ${A}`, `no-project ${VFOLDER}`);
    const status = await agent.describeProject('v', Buffer.from(A));
    // All but the link, which cannot be opened.
    expect(status).toMatchObject({ usedInodes: 4, usedBytes: 64 * KIB });
    fs.writeFileSync(volume.at(A, 'deep/er/new'), '');
    expect(projects.idOf(volume.at(A, 'deep/er/new'))).toBe(status?.projectId);
    expect(projects.idOf(volume.at('outside'))).toBe(0);
  });

  it('parts directories that share an id: the listed one keeps it, the other keeps the limit', async () => {
    const id = await makeScope(B, 2 * MIB);
    volume.mkdir(`${A}/sub`);
    projects.set(volume.at(A), id);
    projects.set(volume.at(A, 'sub'), id);
    await expectRepairable(`shared-id ${A}`);
    expect(projects.idOf(volume.at(B))).toBe(id);
    expect(projects.idOf(volume.at(A, 'sub'))).toBe(projects.idOf(volume.at(A)));
    expect(await agent.describeProject('v', Buffer.from(A))).toMatchObject({ hardBytes: 2 * MIB });
  });

  it('keeps all limits of those that share an id', async () => {
    const id = await makeScope(B, 2 * MIB);
    projects.limit(id, { softBytes: MIB, hardInodes: 50, softInodes: 40 });
    projects.set(volume.at(volume.mkdir(A).toString()), id);
    await expectRepairable(`shared-id ${A}`);
    expect(projects.idOf(volume.at(A))).not.toBe(id);
    expect(await agent.describeProject('v', Buffer.from(A))).toMatchObject({
      hardBytes: 2 * MIB,
      softBytes: MIB,
      hardInodes: 50,
      softInodes: 40,
    });
  });

  it('gives a directory its own id back that its owner exchanged for another, or dropped', async () => {
    const victim = await makeScope(B, 2 * MIB);
    const own = await makeScope(A);
    projects.set(volume.at(A), victim);
    volume.mkdir(`${A}/sub`);
    const dropped = await makeScope(VFOLDER);
    projects.set(volume.at(VFOLDER), 0, false);
    await expectRepairable(`wrong-id ${A}`, `wrong-id ${VFOLDER}`);
    for (const name of [A, `${A}/sub`]) expect(projects.idOf(volume.at(name))).toBe(own);
    expect(projects.idOf(volume.at(VFOLDER))).toBe(dropped);
    expect(projects.quota(victim)).toMatchObject({ hardBytes: 2 * MIB, usedInodes: 1 });
    expect(projects.quota(own)).toMatchObject({ hardBytes: MIB, usedInodes: 2 });
  });

  it("adopts a project that nothing says is the directory's own", async () => {
    projects.set(volume.at(volume.mkdir(A).toString()), firstId + 3);
    await expectRepairable(`listing ${A}`, `wrong-id ${A}`);
    expect(await agent.describeProject('v', Buffer.from(A))).toMatchObject({
      projectId: firstId + 3,
    });
  });

  describe("with a vfolder that the original listed, whose owner gave it another's id", () => {
    const LISTED = 31;
    const TAKEN = 77;

    beforeEach(() => {
      volume.mkdir(`${VFOLDER}/sub`);
      fs.writeFileSync(volume.at(VFOLDER, 'sub/file'), 'x');
      projects.limit(LISTED, { hardBytes: 2 * MIB });
      projects.limit(TAKEN, { hardBytes: 3 * MIB });
      for (const each of [VFOLDER, `${VFOLDER}/sub`]) projects.set(volume.at(each), TAKEN);
      fs.writeFileSync(path.join(volume.files, 'projects'), `${LISTED}:${volume.at(VFOLDER)}\n`);
      fs.writeFileSync(path.join(volume.files, 'projid'), `${VFOLDER_NAME}:${LISTED}\n`);
    });
    afterEach(() => {
      for (const id of [LISTED, TAKEN]) projects.limit(id, { hardBytes: null });
    });

    it('gives back the one that it is listed with, and keeps both limits', async () => {
      await expectRepairable(`wrong-id ${VFOLDER}`);
      for (const each of ['', 'sub', 'sub/file']) {
        expect(projects.idOf(volume.at(VFOLDER, each))).toBe(LISTED);
      }
      expect(projects.quota(LISTED)).toMatchObject({ hardBytes: 2 * MIB });
      expect(projects.quota(TAKEN)).toMatchObject({ hardBytes: 3 * MIB });
    });
  });

  it.each([
    ['a scope of a volume beside this one', true],
    ['a directory that is listed, outside the volume', false],
  ])('gives no directory for its own what is the id of %s', async (_, isNeighbour) => {
    const other = new ScratchVolume('w', { projectIdMin: 71_000, projectIdMax: 71_999 });
    try {
      const name = isNeighbour ? B : 'operators';
      other.mkdir(name);
      let id = 71_500;
      if (isNeighbour) {
        neighbours = [other.path];
        const owner = await makeAgent(other.settings);
        ({ projectId: id } = await owner.initialiseProject('w', Buffer.from(name), {}));
      } else {
        projects.set(other.at(name), id);
        const line = `${id}:${other.at(name)}\n`;
        fs.writeFileSync(path.join(volume.files, 'projects'), line);
      }
      projects.limit(id, { hardBytes: 4 * MIB });
      projects.set(volume.at(volume.mkdir(A).toString()), id);
      await expectRepairable(`shared-id ${A}`);
      expect(projects.idOf(volume.at(A))).not.toBe(id);
      expect(projects.quota(id)).toMatchObject({ hardBytes: 4 * MIB, usedInodes: 1 });
      projects.limit(id, { hardBytes: null });
    } finally {
      other.dispose();
    }
  });

  it('goes by what is there when it comes to a scope, not by what was there at the start', async () => {
    volume.mkdir(A);
    const id = await makeScope(B, MIB);
    const findings: Finding[] = [];
    await driftOf(true, (finding) => {
      if (findings.push(finding) > 1) return;
      // While the first scope is put right, a manager changes the limit of the second.
      projects.limit(id, { hardBytes: 4 * MIB });
      projects.note(volume.at(B), 'hard_bytes', 4 * MIB);
    }).run();
    expect(kinds(findings)).toEqual([`repaired no-project ${A}`]);
    expect(projects.quota(id)).toMatchObject({ hardBytes: 4 * MIB });
  });

  it('tells what it could not look at', async () => {
    await makeScope(A);
    fs.writeFileSync(volume.at(A, 'file'), '');
    const { injectFaults } = await built<typeof ffiModule>('native/ffi.js');
    const EIO = 5;
    let isInside = false;
    injectFaults((syscall) => (isInside && syscall === 'openat' ? EIO : undefined));
    const findings: Finding[] = [];
    await driftOf(
      true,
      (finding) => {
        isInside = false;
        findings.push(finding);
      },
      () => {
        isInside = findings.length === 0;
      },
    )
      .run()
      .finally(() => injectFaults(undefined));
    expect(findings).toEqual([
      {
        kind: 'unreadable',
        path: A,
        text: '1 entries could not be looked at, the first is file (openat: EIO)',
        state: 'found',
      },
    ]);
  });

  it('repairs the listing only when it can be written', async () => {
    await makeScope(A);
    for (const name of ['projects', 'projid', 'lock']) fs.rmSync(path.join(volume.files, name));
    fs.symlinkSync('elsewhere', path.join(volume.files, 'lock'));
    expect(kinds(await run(true))).toEqual([`found listing ${A}`]);
    fs.rmSync(path.join(volume.files, 'lock'));
    expect(kinds(await run(true))).toEqual([`repaired listing ${A}`]);
  });

  it('brings back what was taken out of its project', async () => {
    const id = await makeScope(A);
    volume.mkdir(`${A}/sub`);
    fs.writeFileSync(volume.at(A, 'sub/escaped'), Buffer.alloc(64 * KIB));
    projects.set(volume.at(A, 'sub/escaped'), 0, false);
    projects.set(volume.at(A, 'sub'), id, false);
    await expectRepairable(`foreign-entries ${A}`);
    expect(projects.quota(id)).toMatchObject({ usedInodes: 3, usedBytes: 64 * KIB });
  });

  it('restores a limit that was asked for and is not the one in force', async () => {
    const id = await makeScope(A, 3 * MIB);
    projects.limit(id, { hardBytes: null });
    const other = await makeScope(B, 5000);
    projects.limit(other, { hardBytes: MIB });
    await expectRepairable(`wrong-limit ${A}`, `wrong-limit ${B}`);
    expect(projects.quota(id)).toMatchObject({ hardBytes: 3 * MIB });
    expect(projects.quota(other)).toMatchObject({ hardBytes: 8192 });
  });

  it('removes the limit of an id that nothing carries, and only tells of one that something does', async () => {
    projects.limit(firstId + 500, { hardBytes: MIB });
    // Not of our range: somebody else's.
    projects.limit(7_000, { hardBytes: MIB });
    await expectRepairable('id-without-directory null');
    expect(projects.quota(7_000)).toMatchObject({ hardBytes: MIB });
    projects.limit(7_000, { hardBytes: null });

    fs.appendFileSync(path.join(volume.files, 'projects'), `${firstId + 600}:${volume.at(B)}\n`);
    volume.mkdir('elsewhere');
    projects.set(volume.at('elsewhere'), firstId + 600);
    expect(kinds(await run(true))).toEqual([
      'found id-without-directory null',
      `repaired listing ${B}`,
    ]);
  });

  it('keeps the listing in step, and what others wrote there', async () => {
    await makeScope(A);
    const others = `# mine\n7:/srv\n8:${volume.at('lost+found')}\n`;
    fs.writeFileSync(path.join(volume.files, 'projects'), `${others}9:${volume.at(B)}\n`);
    fs.writeFileSync(path.join(volume.files, 'projid'), `${B}:9\n`);
    await expectRepairable(`listing ${A}`, `listing ${B}`);
    const id = projects.idOf(volume.at(A));
    const listed = fs.readFileSync(path.join(volume.files, 'projects'), 'utf8');
    expect(listed).toBe(`${others}${id}:${volume.at(A)}\n`);
    expect(fs.readFileSync(path.join(volume.files, 'projid'), 'utf8')).toBe(`${A}:${id}\n`);
  });

  it('is a command whose exit status tells, with a line for each finding', async () => {
    volume.mkdir(A);
    const file = path.join(volume.files, 'storage-proxy.toml');
    const options = Object.fromEntries(
      Object.entries(volume.settings.options).map(([key, value]) => [kebab(key), value as unknown]),
    );
    const config = {
      'storage-proxy': {
        'node-id': 'test',
        secret: 'secret-of-the-tokens',
        'session-expire': '1d',
      },
      api: { manager: { secret: 'secret-of-the-manager' } },
      volume: { v: { backend: 'xfs', path: volume.path, options } },
    };
    fs.writeFileSync(file, stringify(config), { mode: 0o600 });
    const finding = `v: no-project: ${volume.at(A)} is charged to no project`;
    expect(await quotaCheck(file)).toEqual({
      code: 1,
      output: `${finding}\nv: 1 left to repair\n`,
      errors: '',
    });
    expect(await quotaCheck(file, '--fix', '--volume', 'v')).toEqual({
      code: 0,
      output: `${finding} (repaired)\nv: 1 repaired\n`,
      errors: '',
    });
  });
});

function quotaCheck(
  file: string,
  ...args: string[]
): Promise<{ code: number; output: string; errors: string }> {
  const main = path.resolve('dist/main.js');
  return new Promise((resolve) => {
    const command = [main, 'quota', 'check', '-f', file, ...args];
    execFile(process.execPath, command, (error, output, errors) => {
      resolve({ code: error ? Number(error.code) : 0, output, errors });
    });
  });
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
