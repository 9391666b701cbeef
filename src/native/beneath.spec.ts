import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync, spawn } from 'node:child_process';
import { assertConfinementWorks, Beneath } from './beneath.js';
import { calls, sync } from './calls.js';
import { O_DIRECTORY, O_RDONLY, RENAME_NOREPLACE } from './constants.js';
import { Errno, isErrno } from './errno.js';
import { injectFaults } from './ffi.js';
import { isDirectory, isRegularFile, isSameInode, isSymlink } from './stat.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('Beneath', () => {
  let top: string;
  let root: Beneath;

  beforeEach(async () => {
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'beneath-'));
    fs.mkdirSync(path.join(top, 'root/dir/sub'), { recursive: true });
    fs.writeFileSync(path.join(top, 'secret'), 'secret');
    fs.writeFileSync(path.join(top, 'root/file'), 'content');
    fs.writeFileSync(path.join(top, 'root/dir/inner'), 'inner');
    fs.symlinkSync('dir/inner', path.join(top, 'root/link-inside'));
    fs.symlinkSync('dir', path.join(top, 'root/dirlink-inside'));
    fs.symlinkSync('../secret', path.join(top, 'root/link-outside'));
    fs.symlinkSync('..', path.join(top, 'root/dirlink-outside'));
    fs.symlinkSync(path.join(top, 'secret'), path.join(top, 'root/link-absolute'));
    fs.symlinkSync('nowhere', path.join(top, 'root/link-dangling'));
    fs.symlinkSync('/proc/self/root', path.join(top, 'root/link-magic'));
    execFileSync('mkfifo', [path.join(top, 'root/fifo')]);
    root = await Beneath.open(path.join(top, 'root'));
  });

  afterEach(() => {
    root.close();
    fs.rmSync(top, { recursive: true });
  });

  it('knows where a path leads on this host, and never follows one out', async () => {
    const real = fs.realpathSync(path.join(top, 'root'));
    expect((await root.realPath()).toString()).toBe(real);
    expect((await root.realPath(bytes('link-inside'))).toString()).toBe(`${real}/dir/inner`);
    for (const name of ['link-outside', 'dirlink-outside', 'link-absolute']) {
      await expect(root.realPath(bytes(name))).rejects.toMatchObject({ errno: Errno.EXDEV });
    }
  });

  it.each([
    ['../secret', Errno.EXDEV],
    ['dir/../../secret', Errno.EXDEV],
    ['/etc/passwd', Errno.EXDEV],
    ['link-outside', Errno.EXDEV],
    ['dirlink-outside/secret', Errno.EXDEV],
    ['link-absolute', Errno.EXDEV],
    ['link-magic/etc/passwd', Errno.EXDEV],
    ['link-dangling', Errno.ENOENT],
    ['dir', Errno.EISDIR],
    ['fifo', Errno.EINVAL],
    ['file/', Errno.ENOTDIR],
    ['', Errno.ENOENT],
    ['nul\0byte', Errno.EINVAL],
  ])('refuses to open %j with errno %d', async (name, errno) => {
    await expect(root.openFile(bytes(name), { follow: true })).rejects.toMatchObject({ errno });
  });

  it('follows links that stay inside', async () => {
    const file = await root.openFile(bytes('link-inside'), { follow: true });
    const content = Buffer.alloc(16);
    expect(await file.read(content, 0)).toBe(5);
    expect(content.toString('utf8', 0, 5)).toBe('inner');
    await file.close();
    expect(isRegularFile(await root.followedStat(bytes('dirlink-inside/inner')))).toBe(true);
    expect(isSymlink(await root.lstat(bytes('link-inside')))).toBe(true);
  });

  it('refuses every link on the way when it is opened so', async () => {
    const strict = await Beneath.openWithoutLinks(path.join(top, 'root'));
    const refused = { errno: Errno.ELOOP };
    await expect(strict.openFile(bytes('dirlink-inside/inner'))).rejects.toMatchObject(refused);
    await expect(strict.lstat(bytes('dirlink-inside/inner'))).rejects.toMatchObject(refused);
    await expect(strict.descend(bytes('dirlink-outside'))).rejects.toMatchObject(refused);
    const below = await strict.descend(bytes('dir'));
    fs.symlinkSync('sub', path.join(top, 'root/dir/link'));
    await expect(below.descend(bytes('link'))).rejects.toMatchObject(refused);
    (await below.descend(bytes('sub'))).close();
    below.close();
    strict.close();
  });

  it('gives away the entry itself, and not what a link leads to', async () => {
    const [uid, gid] =
      process.getuid!() === 0 ? [1234, 4321] : [process.getuid!(), process.getgid!()];
    const before = fs.statSync(path.join(top, 'secret'));
    for (const name of ['file', 'dir', 'link-outside', 'dir/inner']) {
      await root.chown(bytes(name), uid, gid);
      expect(fs.lstatSync(path.join(top, 'root', name))).toMatchObject({ uid, gid });
    }
    expect(fs.statSync(path.join(top, 'secret'))).toMatchObject({
      uid: before.uid,
      gid: before.gid,
    });
    await expect(root.chown(bytes('dirlink-outside/secret'), uid, gid)).rejects.toThrow('EXDEV');
    await expect(root.chown(bytes('.'), uid, gid)).rejects.toThrow('EINVAL');
  });

  it('does not follow a final link unless asked to, nor when it creates', async () => {
    await expect(root.openFile(bytes('link-inside'))).rejects.toMatchObject({ errno: Errno.ELOOP });
    await expect(
      root.openFile(bytes('link-dangling'), { write: true, create: 'if-missing', follow: true }),
    ).rejects.toMatchObject({ errno: Errno.ELOOP });
    expect(fs.existsSync(path.join(top, 'root/nowhere'))).toBe(false);
  });

  it.each([
    ['mkdir', () => root.mkdir(bytes('dirlink-outside/new'), 0o755)],
    ['mkdirs', () => root.mkdirs(bytes('dirlink-outside/a/b'), 0o755, 0o755)],
    ['unlink', () => root.unlink(bytes('dirlink-outside/secret'))],
    ['rename out', () => root.rename(bytes('file'), bytes('dirlink-outside/file'))],
    ['rename in', () => root.rename(bytes('dirlink-outside/secret'), bytes('stolen'))],
    ['descend', () => root.descend(bytes('dirlink-outside'))],
    ['chmod', () => root.chmodDirectory(bytes('dirlink-outside'), 0o777)],
  ])('%s through a link that leads out is refused and changes nothing', async (_, attempt) => {
    const before = fs.readdirSync(top).toSorted();
    await expect(attempt()).rejects.toMatchObject({ errno: Errno.EXDEV });
    expect(fs.readdirSync(top).toSorted()).toEqual(before);
  });

  it('makes directories with their parents, exact modes on request, and says when one exists', async () => {
    await root.mkdirs(bytes('a/b/c'), 0o700, 0o755);
    expect(isDirectory(await root.lstat(bytes('a/b/c')))).toBe(true);
    await expect(root.mkdirs(bytes('a/b'), 0o755, 0o755)).rejects.toMatchObject({
      errno: Errno.EEXIST,
    });
    await root.chmodDirectory(bytes('a/b'), 0o2775);
    expect((await root.lstat(bytes('a/b'))).mode & 0o7777).toBe(0o2775);
  });

  it('renames the entry itself and can refuse to replace', async () => {
    await root.rename(bytes('link-outside'), bytes('dir/moved'));
    expect((await root.readlink(bytes('dir/moved'))).toString()).toBe('../secret');
    await expect(
      root.rename(bytes('file'), bytes('dir/inner'), { noReplace: true }),
    ).rejects.toMatchObject({ errno: Errno.EEXIST });
    expect(RENAME_NOREPLACE).toBe(1);
  });

  it('keeps working on the directory it opened when that is replaced by a link', async () => {
    const dir = await root.descend(bytes('dir'));
    fs.renameSync(path.join(top, 'root/dir'), path.join(top, 'root/away'));
    fs.symlinkSync(top, path.join(top, 'root/dir'));
    await dir.mkdir(bytes('made'), 0o755);
    dir.close();
    expect(fs.existsSync(path.join(top, 'root/away/made'))).toBe(true);
    expect(fs.existsSync(path.join(top, 'made'))).toBe(false);
  });

  it('never reads outside while a tenant swaps a directory for a link', async () => {
    fs.mkdirSync(path.join(top, 'outside'));
    fs.writeFileSync(path.join(top, 'outside/inner'), 'secret');
    const script = `cd ${top}/root; while :; do mv -T dir held; ln -s ../outside dir; rm dir; mv -T held dir; done`;
    // Its output is never read: it is closed once the shell and the last command it started have ended.
    const attacker = spawn('sh', ['-c', script], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = new Promise((resolve) => attacker.stdout.resume().once('close', resolve));
    const seen = new Set<string>();
    try {
      for (let i = 0; i < 3000; i++) {
        try {
          const file = await root.openFile(bytes('dir/inner'));
          const content = Buffer.alloc(8);
          seen.add(content.toString('utf8', 0, await file.read(content, 0)));
          await file.close();
        } catch (error) {
          if (!isErrno(error, Errno.ENOENT, Errno.EXDEV, Errno.EAGAIN)) throw error;
        }
      }
    } finally {
      process.kill(-attacker.pid!, 'SIGKILL');
      await ended;
    }
    expect([...seen]).toEqual(['inner']);
  });

  it('leads through no reserved name, by a link neither', async () => {
    fs.mkdirSync(path.join(top, 'root/.snap/old'), { recursive: true });
    fs.writeFileSync(path.join(top, 'root/.snap/old/file'), 'old');
    fs.symlinkSync('.snap/old', path.join(top, 'root/past'));
    fs.symlinkSync('.snap', path.join(top, 'root/dir/.snapshot'));
    using guarded = await Beneath.open(path.join(top, 'root'), [bytes('.snap')]);
    using below = await guarded.descend(bytes('dir'));
    const refused = { errno: Errno.EXDEV };
    for (const attempt of [
      () => guarded.descend(bytes('.snap')),
      () => guarded.descend(bytes('past')),
      () => guarded.openFile(bytes('past/file')),
      () => guarded.openFile(bytes('.snap/old/file')),
      () => guarded.followedStat(bytes('past/file')),
      () => guarded.lstat(bytes('.snap')),
      () => guarded.lstat(bytes('past/file')),
      () => guarded.mkdir(bytes('.snap/new'), 0o755),
      () => guarded.rename(bytes('file'), bytes('dir/.snap')),
      () => guarded.unlink(bytes('past/file')),
      () => below.mkdir(bytes('.snap'), 0o755),
    ]) {
      await expect(attempt()).rejects.toMatchObject(refused);
    }
    expect(isSymlink(await guarded.lstat(bytes('past')))).toBe(true);
    expect(isSymlink(await below.lstat(bytes('.snapshot')))).toBe(true);
    expect((await root.openFile(bytes('past/file'))).stat.size).toBe(3);
  });

  it('writes at offsets, syncs, truncates and locks files', async () => {
    const file = await root.openFile(bytes('new'), { write: true, create: 'exclusive' });
    await file.write([bytes('hello '), bytes(''), bytes('world')], 0);
    await file.write([bytes('W')], 6);
    await file.datasync();
    await file.sync();
    expect(fs.readFileSync(path.join(top, 'root/new'), 'utf8')).toBe('hello World');
    await file.truncate(5);
    const again = await root.openFile(bytes('new'), { write: true });
    expect(again.stat.size).toBe(5);
    expect(isSameInode(again.stat, file.stat)).toBe(true);
    expect(await file.tryLock()).toBe(true);
    expect(await again.tryLock()).toBe(false);
    await file.unlock();
    expect(await again.tryLock()).toBe(true);
    await file.close();
    await file.close();
    await again.close();
    await root.syncDirectory();
  });

  it('lists raw names and reads them back', async () => {
    const odd = Buffer.from([0x66, 0xff, 0x0a, 0x20]);
    fs.writeFileSync(Buffer.concat([bytes(`${top}/root/dir/`), odd]), '');
    const dir = await root.descend(bytes('dir'));
    const fd = await calls.openat2(dir.fd, bytes('.'), O_RDONLY | O_DIRECTORY);
    const buffer = Buffer.alloc(32768);
    const { entries, end } = await calls.getdents(fd, buffer);
    expect(end).toBe(false);
    expect(entries.some((entry) => entry.name.equals(odd))).toBe(true);
    expect(sync.getdents(fd, buffer)).toEqual({ entries: [], end: true });
    await calls.close(fd);
    dir.close();
  });

  it('leaks no descriptor, whatever fails', async () => {
    const open = (): number => fs.readdirSync('/proc/self/fd').length;
    const before = open();
    for (const syscall of ['openat2', 'statx', 'mkdirat', 'renameat2']) {
      injectFaults((name) => (name === syscall ? Errno.EIO : undefined));
      await root.openFile(bytes('file')).then(
        (file) => file.close(),
        () => undefined,
      );
      await root.lstat(bytes('dir/inner')).catch(() => undefined);
      await root.mkdirs(bytes(`x/${syscall}/y`), 0o755, 0o755).catch(() => undefined);
      await root.rename(bytes('dir/inner'), bytes('dir/inner')).catch(() => undefined);
      injectFaults(undefined);
    }
    expect(open()).toBe(before);
  });

  it('can be used on this kernel', async () => {
    await expect(assertConfinementWorks()).resolves.toBeUndefined();
  });
});
