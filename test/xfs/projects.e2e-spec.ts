import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type * as callsModule from '../../src/native/calls.js';
import type * as ffiModule from '../../src/native/ffi.js';
import { built } from '../support/built.js';
import {
  KIB,
  makeAgent,
  MANY_FILES_SCOPE,
  MIB,
  Projects,
  ScratchVolume,
  XFS_MOUNT,
  xfsOptions,
} from './support/guest.js';

const SCOPE = '0f0e0d0c0b0a40908070605040302010';
const MAKE_PROJECTS = path.join(__dirname, 'support/make-projects-process.mjs');

let projects: Projects;
let volume: ScratchVolume;
let agent: Awaited<ReturnType<typeof makeAgent>>;

beforeAll(async () => {
  projects = await Projects.load();
});
beforeEach(async () => {
  volume = new ScratchVolume('v');
  agent = await makeAgent(volume.settings);
});
afterEach(() => volume.dispose());

const code = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};
/** The system calls that the product makes for `work`. */
const callsOf = async (work: () => Promise<unknown>): Promise<string[]> => {
  const { injectFaults } = await built<typeof ffiModule>('native/ffi.js');
  const made: string[] = [];
  injectFaults((syscall) => void made.push(syscall));
  await work().finally(() => injectFaults(undefined));
  return made;
};
const list = (name: 'projects' | 'projid'): string =>
  fs.readFileSync(path.join(volume.files, name), 'utf8');

describe('limits', () => {
  it.each([
    [1, 4096],
    [511, 4096],
    [4096, 4096],
    [4097, 8192],
    [10 * MIB, 10 * MIB],
    // What the kernel keeps is a block more than a number holds exactly.
    [2 ** 53 - 1, 2 ** 53 - 1],
  ])('rounds %d bytes up to whole blocks', async (asked, kept) => {
    const scope = volume.mkdir(SCOPE);
    const { hardBytes } = await agent.initialiseProject('v', scope, { hardBytes: asked });
    expect(hardBytes).toBe(kept);
  });

  it('are enforced by the kernel to the block, for root as well, and tell what is used', async () => {
    const scope = volume.mkdir(SCOPE);
    await agent.initialiseProject('v', scope, { hardBytes: MIB });
    const file = fs.openSync(volume.at(SCOPE, 'file'), 'w');
    const block = Buffer.alloc(4 * KIB);
    for (let at = 0; at < MIB; at += block.length) fs.writeSync(file, block, 0, block.length, at);
    expect(code(() => fs.writeSync(file, block, 0, 1, MIB))).toBe('ENOSPC');
    // What is there already may be written again.
    expect(code(() => fs.writeSync(file, block, 0, block.length, 0))).toBeUndefined();
    fs.closeSync(file);
    expect(await agent.describeProject('v', scope)).toMatchObject({
      usedBytes: MIB,
      usedInodes: 2,
      hardBytes: MIB,
      softBytes: null,
    });
  });

  it('apply to what is made below, and to nothing beside', async () => {
    const scope = volume.mkdir(SCOPE);
    const { projectId } = await agent.initialiseProject('v', scope, {});
    volume.mkdir(`${SCOPE}/ab/cd/ef`);
    fs.writeFileSync(volume.at(SCOPE, 'ab/cd/ef/file'), '');
    volume.mkdir('other');
    expect(projects.idOf(volume.at(SCOPE, 'ab/cd/ef/file'))).toBe(projectId);
    expect(projects.idOf(volume.at('other'))).toBe(0);
    // Part of the scope's project, not one of its own.
    expect(await agent.describeProject('v', Buffer.from(`${SCOPE}/ab`))).toBeNull();
  });

  it('count inodes, are removed, and can be set again', async () => {
    const scope = volume.mkdir(SCOPE);
    await agent.initialiseProject('v', scope, { hardInodes: 2 });
    fs.writeFileSync(volume.at(SCOPE, 'one'), '');
    expect(code(() => fs.writeFileSync(volume.at(SCOPE, 'two'), ''))).toBe('ENOSPC');
    const { hardInodes } = await agent.limitProject('v', scope, { hardInodes: null });
    expect(hardInodes).toBeNull();
    expect(code(() => fs.writeFileSync(volume.at(SCOPE, 'two'), ''))).toBeUndefined();
  });

  it('may be set below what is used: nothing is lost, and no more fits', async () => {
    const scope = volume.mkdir(SCOPE);
    await agent.initialiseProject('v', scope, {});
    fs.writeFileSync(volume.at(SCOPE, 'file'), Buffer.alloc(MIB));
    await agent.limitProject('v', scope, { hardBytes: 64 * KIB });
    expect(fs.statSync(volume.at(SCOPE, 'file')).size).toBe(MIB);
    expect(code(() => fs.appendFileSync(volume.at(SCOPE, 'file'), Buffer.alloc(4096)))).toBe(
      'ENOSPC',
    );
  });

  it('keep a soft limit of the operator with its grace period, and drop one that the hard one overtakes', async () => {
    const scope = volume.mkdir(SCOPE);
    await agent.initialiseProject('v', scope, { hardBytes: 8 * MIB, softBytes: MIB });
    const file = fs.openSync(volume.at(SCOPE, 'file'), 'w');
    fs.writeSync(file, Buffer.alloc(2 * MIB));
    fs.fsyncSync(file);
    fs.closeSync(file);
    const exceeded = await agent.limitProject('v', scope, { hardBytes: 16 * MIB });
    expect(exceeded).toMatchObject({ hardBytes: 16 * MIB, softBytes: MIB });
    expect(exceeded.bytesGraceEndsAt).toBeGreaterThan(Date.now() / 1000);
    expect(await agent.limitProject('v', scope, { hardBytes: MIB })).toMatchObject({
      hardBytes: MIB,
      softBytes: null,
    });
  });

  it('refuse what is no limit, and the mount path itself', async () => {
    const scope = volume.mkdir(SCOPE);
    for (const hardBytes of [0, -1, 1.5, Number.NaN]) {
      const refused = agent.initialiseProject('v', scope, { hardBytes });
      await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    const soft = agent.initialiseProject('v', scope, { hardBytes: 1, softBytes: 2 });
    await expect(soft).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const root = agent.initialiseProject('v', Buffer.from('.'), {});
    await expect(root).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(agent.limitProject('v', scope, {})).rejects.toMatchObject({ code: 'ENODATA' });
  });

  it('are set although any user holds a lock on the mount point', async () => {
    const { sync } = await built<typeof callsModule>('native/calls.js');
    const LOCK_EX = 2;
    const mount = fs.openSync(XFS_MOUNT, 'r');
    try {
      expect(sync.flock(mount, LOCK_EX)).toBe(true);
      await agent.initialiseProject('v', volume.mkdir(SCOPE), { hardBytes: MIB });
    } finally {
      fs.closeSync(mount);
    }
  });

  it('are set by as many system calls on 100,000 files as on none', async () => {
    const mount = path.dirname(MANY_FILES_SCOPE);
    const name = path.basename(MANY_FILES_SCOPE);
    // mkfs gave all of the filesystem to one project.
    projects.set(mount, 0, false);
    const many = await makeAgent({ ...volume.settings, path: mount });
    const full = Buffer.from(name);
    const empty = Buffer.from('fedcba9876543210fedcba9876543210');
    fs.mkdirSync(path.join(mount, empty.toString()));
    await many.initialiseProject('v', empty, {});
    expect((await many.describeProject('v', full))?.usedInodes).toBe(100_001);

    for (const hardBytes of [MIB, 2 * MIB, null]) {
      const onFull = await callsOf(() => many.limitProject('v', full, { hardBytes }));
      const onEmpty = await callsOf(() => many.limitProject('v', empty, { hardBytes }));
      expect(onFull).toEqual(onEmpty);
      expect(onFull.length).toBeLessThan(30);
    }
    expect(await callsOf(() => many.describeProject('v', full))).toEqual(
      await callsOf(() => many.describeProject('v', empty)),
    );
  });
});

describe('project ids', () => {
  it('are distinct for 50 scopes that several processes make at once', async () => {
    const paths = Array.from({ length: 50 }, (_, i) => `scope${i}`);
    for (const each of paths) volume.mkdir(each);
    const shares = Array.from({ length: 3 }, (_, i) => paths.filter((__, j) => j % 3 === i));
    const outputs = await Promise.all(
      shares.map((share) =>
        promisify(execFile)(process.execPath, [
          MAKE_PROJECTS,
          JSON.stringify({ settings: volume.settings, paths: share }),
        ]),
      ),
    );
    const ids = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
    expect(new Set(ids).size).toBe(50);
    expect(new Set(paths.map((each) => projects.idOf(volume.at(each)))).size).toBe(50);
    const listed = list('projid').trim().split('\n');
    expect(listed.map((line) => Number(line.split(':')[1])).toSorted((a, b) => a - b)).toEqual(
      ids.toSorted((a, b) => a - b),
    );
  });

  it('stay when a scope is initialised again', async () => {
    const scope = volume.mkdir(SCOPE);
    const first = await agent.initialiseProject('v', scope, { hardBytes: MIB });
    const again = await agent.initialiseProject('v', scope, {});
    expect(again).toMatchObject({ projectId: first.projectId, hardBytes: MIB });
  });

  it('are not given again while a file carries them, nor when they are listed, nor beyond the range', async () => {
    volume.dispose();
    volume = new ScratchVolume('v', { projectIdMin: 70_000, projectIdMax: 70_002 });
    agent = await makeAgent(volume.settings);
    fs.writeFileSync(path.join(volume.files, 'projid'), '# by hand\nmine:70001\n');
    const scope = volume.mkdir(SCOPE);
    const { projectId } = await agent.initialiseProject('v', scope, {});
    expect(projectId).toBe(70_002);
    // A file that is moved out of its project keeps its id.
    fs.writeFileSync(volume.at(SCOPE, 'file'), 'x');
    fs.renameSync(volume.at(SCOPE, 'file'), volume.at('file'));
    await agent.releaseProject('v', scope);
    fs.rmdirSync(volume.at(SCOPE));

    expect((await agent.initialiseProject('v', volume.mkdir('a'), {})).projectId).toBe(70_000);
    const usedUp = agent.initialiseProject('v', volume.mkdir('b'), {});
    await expect(usedUp).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('project-id-max') as unknown,
    });
    expect(projects.idOf(volume.at('b'))).toBe(0);
  });

  it('are found by few calls among many that are taken', async () => {
    const first = 60_000;
    const files = fs.mkdtempSync('/tmp/unlisted-');
    const range = { projectIdMin: first, projectIdMax: first + 999, registerProjects: false };
    const unlisted = await makeAgent({
      ...volume.settings,
      options: xfsOptions(files, range),
    });
    const taken = Array.from({ length: 300 }, (_, i) => first + i);
    for (const id of taken) projects.limit(id, { hardBytes: MIB });
    const scope = volume.mkdir(SCOPE);
    const calls = await callsOf(() => unlisted.initialiseProject('v', scope, {}));
    expect(projects.idOf(volume.at(SCOPE))).toBe(first + 300);
    const quotactl = calls.filter((call) => call === 'quotactl');
    expect(quotactl.length).toBeGreaterThan(0);
    expect(quotactl.length).toBeLessThan(40);
    for (const id of taken) projects.limit(id, { hardBytes: null });
    fs.rmdirSync(files);
  });

  it('that others take at the same moment are given back, with the limit they have', async () => {
    const first = 61_000;
    volume.dispose();
    volume = new ScratchVolume('v', { projectIdMin: first, projectIdMax: first + 999 });
    agent = await makeAgent(volume.settings);
    const scope = volume.mkdir(SCOPE);
    const { injectFaults } = await built<typeof ffiModule>('native/ffi.js');
    const stolen: number[] = [];
    let isStealing = false;
    // A proxy of another container, which has another lock, is always a moment earlier.
    injectFaults((syscall) => {
      if (isStealing || syscall !== 'ioctl') return undefined;
      isStealing = true;
      const id = Number(projects.noted(volume.at(SCOPE), 'project_id') ?? 0);
      if (id !== 0 && !stolen.includes(id)) {
        stolen.push(id);
        volume.mkdir(`rival${id}`);
        projects.set(volume.at(`rival${id}`), id);
        projects.limit(id, { hardBytes: 3 * MIB });
      }
      isStealing = false;
      return undefined;
    });
    const refused = agent.initialiseProject('v', scope, { hardBytes: MIB });
    await expect(refused.finally(() => injectFaults(undefined))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ranges of their own') as unknown,
    });
    expect(stolen).toHaveLength(8);
    for (const id of stolen) {
      expect(projects.quota(id)).toMatchObject({ hardBytes: 3 * MIB, usedInodes: 1 });
    }
    expect(projects.idOf(volume.at(SCOPE))).toBe(0);
    expect(projects.noted(volume.at(SCOPE), 'project_id')).toBeUndefined();
  });

  it('of a directory that holds something cannot be given', async () => {
    const scope = volume.mkdir(SCOPE);
    fs.writeFileSync(volume.at(SCOPE, 'file'), '');
    await expect(agent.initialiseProject('v', scope, {})).rejects.toMatchObject({
      code: 'ENOTEMPTY',
    });
  });

  it('are never looked for behind a link', async () => {
    volume.mkdir('real');
    fs.symlinkSync('real', volume.at('link'));
    fs.symlinkSync(XFS_MOUNT, volume.at('out'));
    for (const name of ['link', 'out', 'out/x', 'link/x']) {
      const refused = agent.initialiseProject('v', Buffer.from(name), {});
      await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/ELOOP|ENOTDIR/) });
    }
  });

  it('are released with their limits and their listing', async () => {
    const scope = volume.mkdir(SCOPE);
    const { projectId } = await agent.initialiseProject('v', scope, { hardBytes: MIB });
    fs.appendFileSync(path.join(volume.files, 'projects'), '7:/elsewhere\n');
    for (const _ of ['first', 'again']) await agent.releaseProject('v', scope);
    expect(projects.quota(projectId)).toMatchObject({ hardBytes: null });
    expect(list('projects')).toBe('7:/elsewhere\n');
    expect(list('projid')).toBe('');
    expect(projects.noted(volume.at(SCOPE), 'hard_bytes')).toBeUndefined();
  });
});

describe('a directory whose owner gave it the id of another project', () => {
  const THIEF = 'a0b0c0d0e0f0405060708090a0b0c0d0';
  let victim: number;

  beforeEach(async () => {
    victim = (await agent.initialiseProject('v', volume.mkdir(SCOPE), { hardBytes: 2 * MIB }))
      .projectId;
    await agent.initialiseProject('v', volume.mkdir(THIEF), { hardBytes: MIB });
    projects.set(volume.at(THIEF), victim);
  });

  const expectRefused = async (): Promise<void> => {
    const thief = Buffer.from(THIEF);
    const unsupported = {
      code: 'UNSUPPORTED',
      message: expect.stringContaining('quota check --fix') as unknown,
    };
    const attempts = [
      () => agent.initialiseProject('v', thief, { hardBytes: 64 * MIB }),
      () => agent.limitProject('v', thief, { hardBytes: 64 * MIB }),
      () => agent.describeProject('v', thief),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject(unsupported);
    await agent.releaseProject('v', thief);
    expect(projects.quota(victim)).toMatchObject({ hardBytes: 2 * MIB });
    expect(list('projid')).toContain(`${SCOPE}:${victim}\n`);
  };

  it('has no part in that project', expectRefused);

  it('has no part in it either when it is no project of ours', async () => {
    fs.rmdirSync(volume.at(THIEF));
    volume.mkdir(THIEF);
    projects.set(volume.at(THIEF), victim);
    await expectRefused();
  });

  it('has no part in it either when the original listed that', async () => {
    const adopted = 17;
    victim = adopted;
    projects.limit(adopted, { hardBytes: 2 * MIB });
    fs.rmdirSync(volume.at(SCOPE));
    volume.mkdir(SCOPE);
    projects.set(volume.at(SCOPE), adopted);
    fs.writeFileSync(path.join(volume.files, 'projects'), `${adopted}:${volume.at(SCOPE)}\n`);
    fs.writeFileSync(path.join(volume.files, 'projid'), `${SCOPE}:${adopted}\n`);
    fs.rmdirSync(volume.at(THIEF));
    volume.mkdir(THIEF);
    projects.set(volume.at(THIEF), adopted);
    await expectRefused();
    const told = await agent.describeProject('v', Buffer.from(SCOPE));
    expect(told).toMatchObject({ projectId: adopted, hardBytes: 2 * MIB });
    projects.limit(adopted, { hardBytes: null });
  });
});

describe('a vfolder that the original listed and nobody recorded', () => {
  const VFOLDER = 'ab/cd/0123456789abcdef0123456789ab';
  const LISTED = 31;
  const vfolder = Buffer.from(VFOLDER);
  const listLines = (...lines: string[]): void =>
    fs.writeFileSync(
      path.join(volume.files, 'projects'),
      lines.map((line) => `${line}\n`).join(''),
    );

  beforeEach(() => {
    volume.mkdir(VFOLDER);
    projects.set(volume.at(VFOLDER), LISTED);
    projects.limit(LISTED, { hardBytes: 2 * MIB });
    listLines(`${LISTED}:${volume.at(VFOLDER)}`);
  });
  afterEach(() => {
    for (const id of [LISTED, 77]) projects.limit(id, { hardBytes: null });
  });

  it.each(['describe', 'limit'] as const)(
    'is recorded when it is first asked to %s',
    async (how) => {
      if (how === 'describe') await agent.describeProject('v', vfolder);
      else await agent.limitProject('v', vfolder, { hardBytes: MIB });
      expect(projects.noted(volume.at(VFOLDER), 'project_id')).toBe(String(LISTED));
      // Now in the trash.
      fs.renameSync(volume.at(VFOLDER), volume.at('gone'));
      await agent.releaseProject('v', Buffer.from('gone'));
      expect(projects.quota(LISTED)).toMatchObject({ hardBytes: null });
      expect(list('projects')).toBe('');
    },
  );

  it('has no part in a project that nobody is listed with, when its owner gives it that id', async () => {
    // A project of the operator's: unlisted, beside the volume.
    const mine = fs.mkdtempSync(path.join(XFS_MOUNT, 'operator-'));
    projects.set(mine, 77);
    fs.writeFileSync(path.join(mine, 'file'), 'x');
    projects.limit(77, { hardBytes: 3 * MIB });
    projects.set(volume.at(VFOLDER), 77);
    const expectKept = async (where: string): Promise<void> => {
      await agent.releaseProject('v', Buffer.from(where));
      expect(projects.quota(77)).toMatchObject({ hardBytes: 3 * MIB });
    };
    try {
      await expectKept(VFOLDER);
      for (const attempt of [
        () => agent.limitProject('v', vfolder, { hardBytes: 64 * MIB }),
        () => agent.initialiseProject('v', vfolder, { hardBytes: 64 * MIB }),
        () => agent.describeProject('v', vfolder),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
      }
      await expectKept(VFOLDER);
      fs.renameSync(volume.at(VFOLDER), volume.at('gone'));
      await expectKept('gone');
      // Not even without any proof: others have part in it.
      fs.rmdirSync(volume.at('gone'));
      projects.set(volume.at(volume.mkdir('gone').toString()), 77);
      await expectKept('gone');
    } finally {
      fs.rmSync(mine, { recursive: true });
    }
  });

  it.each([
    ['the path it had before', (at: string) => `${path.dirname(at)}-before/${SCOPE}`],
    ['a directory of another filesystem', () => '/proc/sys'],
    ['itself, by another path', (at: string) => `${at}/.`],
  ])('keeps its project while that is listed for %s', async (_, other) => {
    listLines(`${LISTED}:${other(volume.at(VFOLDER))}`);
    const told = await agent.describeProject('v', vfolder);
    expect(told).toMatchObject({ projectId: LISTED, hardBytes: 2 * MIB });
    await agent.releaseProject('v', vfolder);
    expect(projects.quota(LISTED)).toMatchObject({ hardBytes: null });
  });
});

describe('a scope made by the original', () => {
  it('is adopted with its id and limit, and its files keep what others wrote', async () => {
    const comment = '# projects of this host\n\n9:/srv/elsewhere\n';
    fs.writeFileSync(path.join(volume.files, 'projects'), `${comment}1:${volume.at(SCOPE)}\n`);
    fs.writeFileSync(path.join(volume.files, 'projid'), `elsewhere:9\n${SCOPE}:1\n`);
    const scope = volume.mkdir(SCOPE);
    const quota = (command: string): void => {
      const { projectsFile, projidFile } = volume.settings.options as Record<string, string>;
      const files = ['-D', projectsFile!, '-P', projidFile!];
      execFileSync('xfs_quota', ['-x', ...files, '-c', command, XFS_MOUNT], { stdio: 'ignore' });
    };
    quota(`project -s ${SCOPE}`);
    quota(`limit -p bsoft=10m bhard=10m ${SCOPE}`);
    fs.writeFileSync(volume.at(SCOPE, 'file'), Buffer.alloc(MIB));

    const adopted = { projectId: 1, hardBytes: 10 * MIB, softBytes: 10 * MIB };
    expect(await agent.describeProject('v', scope)).toMatchObject(adopted);
    expect(await agent.initialiseProject('v', scope, {})).toMatchObject(adopted);
    expect(list('projects')).toBe(`${comment}1:${volume.at(SCOPE)}\n`);
    expect(list('projid')).toBe(`elsewhere:9\n${SCOPE}:1\n`);
    // Its soft limit would hold the new limit back.
    expect(await agent.limitProject('v', scope, { hardBytes: 20 * MIB })).toMatchObject({
      projectId: 1,
      hardBytes: 20 * MIB,
      softBytes: null,
      usedBytes: MIB,
    });
  });
});

describe('traps of project quotas', () => {
  it('project 0 cannot be limited', () => {
    expect(() => projects.limit(0, { hardBytes: MIB })).toThrow('every project');
  });

  it('whoever owns a file may take it out of its project, which shows as a foreign entry', async () => {
    const scope = volume.mkdir(SCOPE);
    const { projectId } = await agent.initialiseProject('v', scope, {});
    fs.writeFileSync(volume.at(SCOPE, 'file'), Buffer.alloc(MIB));
    projects.set(volume.at(SCOPE, 'file'), 0, false);
    expect(projects.quota(projectId)).toMatchObject({ usedBytes: 0 });
  });
});
