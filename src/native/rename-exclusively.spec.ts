import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sync } from './calls.js';
import { Errno } from './errno.js';
import { injectFaults } from './ffi.js';
import { renameExclusively } from './rename-exclusively.js';

const bytes = (text: string): Buffer => Buffer.from(text);

/** Answers as CephFS and NFS do: EINVAL to the first of each two renames, which is the one with the flag. */
function withoutNoReplace(then?: number): void {
  let renames = 0;
  injectFaults((syscall) => {
    if (syscall !== 'renameat2') return undefined;
    return renames++ % 2 === 0 ? Errno.EINVAL : then;
  });
}

describe('renameExclusively without RENAME_NOREPLACE', () => {
  let top: string;
  let fd: number;
  const names = (): string[] => fs.readdirSync(top).toSorted();
  const rename = (from: string, to: string): Promise<void> =>
    renameExclusively(fd, bytes(from), fd, bytes(to));

  beforeEach(() => {
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'rename-'));
    fd = fs.openSync(top, 'r');
    fs.writeFileSync(path.join(top, 'file'), 'content');
    fs.mkdirSync(path.join(top, 'directory/inner'), { recursive: true });
    fs.symlinkSync('nowhere', path.join(top, 'link'));
    withoutNoReplace();
  });
  afterEach(() => {
    injectFaults(undefined);
    fs.closeSync(fd);
    fs.rmSync(top, { recursive: true });
  });

  it.each(['file', 'directory', 'link'])('gives a free name to a %s', async (from) => {
    const { ino } = fs.lstatSync(path.join(top, from));
    await rename(from, 'new');
    expect(names()).not.toContain(from);
    expect(fs.lstatSync(path.join(top, 'new')).ino).toBe(ino);
  });

  it.each([
    ['file', 'link'],
    ['file', 'directory'],
    ['directory', 'file'],
    ['link', 'file'],
  ])('replaces nothing: a %s by the name of a %s', async (from, to) => {
    const before = fs.lstatSync(path.join(top, to)).ino;
    await expect(rename(from, to)).rejects.toMatchObject({ errno: Errno.EEXIST });
    expect(fs.lstatSync(path.join(top, to)).ino).toBe(before);
    expect(names()).toEqual(['directory', 'file', 'link']);
  });

  it.each(['file', 'directory'])('leaves nothing of a %s that cannot be moved', async (from) => {
    withoutNoReplace(Errno.EXDEV);
    await expect(rename(from, 'new')).rejects.toMatchObject({ errno: Errno.EXDEV });
    expect(names()).toEqual(['directory', 'file', 'link']);
  });

  it('moves no directory into itself, and leaves nothing in it', async () => {
    injectFaults(undefined);
    const inner = sync.openat(fd, bytes('directory'), fs.constants.O_DIRECTORY);
    const attempt = renameExclusively(fd, bytes('directory'), inner, bytes('new'));
    await expect(attempt).rejects.toMatchObject({ errno: Errno.EINVAL });
    sync.close(inner);
    expect(fs.readdirSync(path.join(top, 'directory'))).toEqual(['inner']);
  });

  it('lets one of many have the name', async () => {
    const from = Array.from({ length: 20 }, (_, index) => `file-${index}`);
    for (const name of from) fs.writeFileSync(path.join(top, name), name);
    // By name rather than by turns: the calls of all of them are mixed.
    injectFaults(undefined);
    const { renameOverPlaceholder } = await import('./rename-exclusively.js');
    const attempts = from.map((name) => renameOverPlaceholder(fd, bytes(name), fd, bytes('new')));
    const outcomes = await Promise.allSettled(attempts);
    const winner = from.filter((_, index) => outcomes[index]!.status === 'fulfilled');
    expect(winner).toHaveLength(1);
    expect(fs.readFileSync(path.join(top, 'new'), 'utf8')).toBe(winner[0]);
    expect(from.filter((name) => names().includes(name))).toHaveLength(19);
  });
});
