import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sync } from './calls.js';
import { Errno } from './errno.js';
import { injectFaults } from './ffi.js';
import { renameExclusively, renameWithoutFlag } from './rename-exclusively.js';

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
    // Not by turns: the calls of all of them are mixed.
    injectFaults(undefined);
    const attempts = from.map((name) => renameWithoutFlag(fd, bytes(name), fd, bytes('new')));
    const outcomes = await Promise.allSettled(attempts);
    const winner = from.filter((_, index) => outcomes[index]!.status === 'fulfilled');
    expect(winner).toHaveLength(1);
    expect(fs.readFileSync(path.join(top, 'new'), 'utf8')).toBe(winner[0]);
    expect(from.filter((name) => names().includes(name))).toHaveLength(19);
  });

  it('loses nothing that is renamed to the name meanwhile, as an upload that is completed', async () => {
    fs.writeFileSync(path.join(top, 'upload'), 'uploaded');
    let renames = 0;
    // Before the last call that could still replace something.
    injectFaults((syscall) => {
      if (syscall === 'renameat2' && ++renames === 1) return Errno.EINVAL;
      const isThere = fs.existsSync(path.join(top, 'upload'));
      if (syscall === 'linkat' && isThere)
        fs.renameSync(path.join(top, 'upload'), path.join(top, 'new'));
      return undefined;
    });
    await expect(rename('file', 'new')).rejects.toMatchObject({ errno: Errno.EEXIST });
    expect(fs.readFileSync(path.join(top, 'new'), 'utf8')).toBe('uploaded');
    expect(fs.readFileSync(path.join(top, 'file'), 'utf8')).toBe('content');
    expect(names()).toEqual(['directory', 'file', 'link', 'new']);
  });

  it.each([
    ['links', 'linkat', Errno.EPERM, 'file'],
    ['room for another name', 'openat', Errno.EDQUOT, 'file'],
    ['room for another directory', 'mkdirat', Errno.EDQUOT, 'directory'],
  ])('does without %s', async (_what, failing, errno, from) => {
    let renames = 0;
    injectFaults((syscall) => {
      if (syscall === 'renameat2') return ++renames === 1 ? Errno.EINVAL : undefined;
      if (syscall === 'linkat') return Errno.EPERM;
      return syscall === failing ? errno : undefined;
    });
    await rename(from, 'new');
    expect(names()).toEqual(['directory', 'file', 'link', 'new'].filter((name) => name !== from));
    renames = 0;
    await expect(rename('link', 'new')).rejects.toMatchObject({ errno: Errno.EEXIST });
    expect(names()).toContain('link');
  });

  it('takes a name for given when the answer to the first request was lost', async () => {
    let renames = 0;
    injectFaults((syscall) => {
      if (syscall === 'renameat2') return ++renames === 1 ? Errno.EINVAL : undefined;
      if (syscall !== 'linkat') return undefined;
      const aside = names().find((name) => name.startsWith('.renaming-'))!;
      fs.linkSync(path.join(top, aside), path.join(top, 'new'));
      return undefined;
    });
    await rename('file', 'new');
    expect(names()).toEqual(['directory', 'link', 'new']);
  });

  it('tells of a name that was taken, also when it is free again a moment later', async () => {
    const taken = path.join(top, 'new');
    fs.writeFileSync(taken, "somebody else's");
    let renames = 0;
    let looks = 0;
    injectFaults((syscall) => {
      if (syscall === 'renameat2') return ++renames === 1 ? Errno.EINVAL : undefined;
      // The third look is at the name that link(2) found taken.
      if (syscall === 'statx' && ++looks === 3) fs.rmSync(taken);
      return undefined;
    });
    await expect(rename('file', 'new')).rejects.toMatchObject({ errno: Errno.EEXIST });
    expect(names()).toEqual(['directory', 'file', 'link']);
  });

  it('leaves no placeholder that it could not look at', async () => {
    let renames = 0;
    let looks = 0;
    injectFaults((syscall) => {
      if (syscall === 'renameat2') return ++renames === 1 ? Errno.EINVAL : undefined;
      return syscall === 'statx' && ++looks === 2 ? Errno.EIO : undefined;
    });
    await expect(rename('directory', 'new')).rejects.toMatchObject({ errno: Errno.EIO });
    expect(names()).toEqual(['directory', 'file', 'link']);
  });
});
