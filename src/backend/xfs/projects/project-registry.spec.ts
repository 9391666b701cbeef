import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sync } from '../../../native/calls.js';
import { LOCK_EX } from '../../../native/constants.js';
import { Errno } from '../../../native/errno.js';
import { injectFaults } from '../../../native/ffi.js';
import { configureLogging } from '../../../observability/logger.js';
import { ProjectsFile, ProjidFile } from './project-files.js';
import { projectName } from './project-name.js';
import { ProjectRegistry, register, unregister, type ProjectFiles } from './project-registry.js';

configureLogging({ level: 'fatal' });

const SCOPE = '0f0e0d0c0b0a40908070605040302010';
const filesOf = (projects: string, projid: string): ProjectFiles => ({
  projects: new ProjectsFile(projects),
  projid: new ProjidFile(projid),
});
const textOf = ({ projects, projid }: ProjectFiles): string[] => [
  projects.toString(),
  projid.toString(),
];

describe('the files of projects', () => {
  it.each([
    [
      'comments and blank lines',
      '# 1:/commented\n\n1:/vol/a\n',
      [{ projectId: 1, directory: '/vol/a' }],
    ],
    ['a last line without a newline', '1:/vol/a', [{ projectId: 1, directory: '/vol/a' }]],
    ['colons and blanks in a path', '1:/vol/a b:c\n', [{ projectId: 1, directory: '/vol/a b:c' }]],
    ['what is no project', 'one:/vol/a\n2:relative\nnothing\n', []],
  ])('are read with %s', (_, text, lines) => {
    expect(new ProjectsFile(text).lines).toEqual(lines);
  });

  it('come back as they were, but for the end of the last line', () => {
    const text = '# a\n\n  \nsome:thing:1\nname:2\n#name:3';
    expect(new ProjidFile(text).toString()).toBe(`${text}\n`);
    expect(new ProjidFile(text).lines).toEqual([{ name: 'name', projectId: 2 }]);
    expect(new ProjidFile('').toString()).toBe('');
  });
});

describe('listing a project', () => {
  it('adds it once, and keeps what is there', () => {
    const files = filesOf('# mine\n7:/srv\n', 'mine:7\n');
    for (const _ of ['first', 'again']) register(files, 42, `/vol/${SCOPE}`, SCOPE, 'v');
    expect(textOf(files)).toEqual([`# mine\n7:/srv\n42:/vol/${SCOPE}\n`, `mine:7\n${SCOPE}:42\n`]);
  });

  it('replaces what the directory was listed under before', () => {
    const files = filesOf(`1:/vol/${SCOPE}\n`, `${SCOPE}:1\n`);
    register(files, 42, `/vol/${SCOPE}`, SCOPE, 'v');
    expect(textOf(files)).toEqual([`42:/vol/${SCOPE}\n`, `${SCOPE}:42\n`]);
  });

  it('names the second volume where a directory of the first has the name', () => {
    const files = filesOf(`1:/one/${SCOPE}\n`, `${SCOPE}:1\n`);
    register(files, 2, `/two/${SCOPE}`, SCOPE, 'two');
    expect(files.projid.toString()).toBe(`${SCOPE}:1\n${SCOPE}@two:2\n`);
  });

  it('is undone for the volume alone, by whole numbers and whole paths', () => {
    const files = filesOf('1:/vol/a\n11:/vol/b\n1:/vol2/a\n', 'a:1\nb:11\n');
    unregister(files, 1, '/vol');
    expect(textOf(files)).toEqual(['11:/vol/b\n1:/vol2/a\n', 'a:1\nb:11\n']);
    unregister(files, 1, '/vol2');
    expect(textOf(files)).toEqual(['11:/vol/b\n', 'b:11\n']);
  });
});

it.each([
  [SCOPE, SCOPE],
  ['0f/0e/0d0c0b0a40908070605040302010', '0f0e0d0c-0b0a-4090-8070-605040302010'],
])('the project of %s is called %s', (directory, name) => {
  expect(projectName(directory)).toBe(name);
});

describe('the registry', () => {
  let directory: string;
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'registry-'));
  });
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));
  const at = (name: string): string => path.join(directory, name);
  const registry = (): ProjectRegistry =>
    new ProjectRegistry({
      lockFilePath: at('lock'),
      projectsFile: at('projects'),
      projidFile: at('projid'),
    });
  const add = (id: number): Promise<void> =>
    registry().update(async (files) => register(files, id, `/vol/s${id}`, `s${id}`, 'v'));

  it('makes the files, loses no change of those made at once, and leaves nothing else behind', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, i) => add(i + 1)));
    const { projects, projid } = await registry().read();
    expect(projects.projectIds.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 8 }, (_, i) => i + 1),
    );
    expect(projid.lines).toHaveLength(8);
    expect(fs.readdirSync(directory).toSorted()).toEqual(['lock', 'projects', 'projid']);
  });

  it('replaces a file as a whole, with its mode, behind a link too, and not without need', async () => {
    fs.mkdirSync(at('etc'));
    fs.writeFileSync(at('etc/projects'), '# kept\n');
    fs.chmodSync(at('etc/projects'), 0o640);
    fs.symlinkSync('etc/projects', at('projects'));
    const before = fs.statSync(at('etc/projects')).ino;
    await registry().update(async () => undefined);
    expect(fs.statSync(at('etc/projects')).ino).toBe(before);
    await add(1);
    expect(fs.lstatSync(at('projects')).isSymbolicLink()).toBe(true);
    expect(fs.readFileSync(at('etc/projects'), 'utf8')).toBe('# kept\n1:/vol/s1\n');
    expect(fs.statSync(at('etc/projects')).mode & 0o777).toBe(0o640);
    expect(fs.statSync(at('etc/projects')).ino).not.toBe(before);
  });

  it('does not follow a link in place of the lock, and writes nothing without it', async () => {
    fs.symlinkSync(at('elsewhere'), at('lock'));
    await add(1);
    expect(fs.readdirSync(directory)).toEqual(['lock']);
  });

  it('does not hang on a FIFO in place of the lock', async () => {
    execFileSync('mkfifo', [at('lock')]);
    await add(1);
    expect(fs.readdirSync(directory)).toEqual(['lock']);
  });

  it('does its work, and writes nothing, while anybody holds the lock; or fails when it is to insist', async () => {
    fs.writeFileSync(at('lock'), '');
    const holder = fs.openSync(at('lock'), 'r');
    try {
      expect(sync.flock(holder, LOCK_EX)).toBe(true);
      const held = registry();
      const work = jest.fn(async (files: ProjectFiles) => register(files, 1, '/vol/a', 'a', 'v'));
      for (const _ of ['first', 'again']) await held.update(work);
      expect(work).toHaveBeenCalledTimes(2);
      const insisting = held.update(work, { insists: true });
      await expect(insisting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(fs.readdirSync(directory)).toEqual(['lock']);
    } finally {
      fs.closeSync(holder);
    }
  });

  it('waits for one who writes, also after one who held the lock for too long', async () => {
    const now = jest.spyOn(performance, 'now');
    const list = (held: ProjectRegistry): Promise<void> =>
      held.update(async (files) => register(files, 1, '/vol/a', 'a', 'v'));
    try {
      const held = registry();
      let seconds = 0;
      now.mockImplementation(() => 10_000 * seconds++);
      injectFaults((syscall) => (syscall === 'flock' ? Errno.EAGAIN : undefined));
      await list(held);
      expect(fs.existsSync(at('projects'))).toBe(false);
      // Whoever has it now is done at the second look, and no time passes.
      let looks = 0;
      now.mockReturnValue(0);
      injectFaults((syscall) => (syscall === 'flock' && looks++ === 0 ? Errno.EAGAIN : undefined));
      await list(held);
      expect(fs.readFileSync(at('projects'), 'utf8')).toBe('1:/vol/a\n');
    } finally {
      injectFaults(undefined);
      now.mockRestore();
    }
  });
});
