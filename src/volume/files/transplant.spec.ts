import fs from 'node:fs';
import { execFileSync } from 'node:child_process';
import { sync } from '../../native/calls.js';
import { Errno } from '../../native/errno.js';
import { injectFaults } from '../../native/ffi.js';
import { DomainRig, HostFolder, p, SCOPED } from '../testing/domain-rig.js';
import { sweepCopies } from '../uploads/sweep-copies.js';
import { UPLOAD_PATH } from '../uploads/upload-names.js';
import type { VolumeRegistry } from '../volume-registry.js';
import type { Files } from './files.js';

function withOpen<T>(file: string, work: (fd: number) => T): T {
  const fd = fs.openSync(file, 'r');
  try {
    return work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

describe('moving across a border of quotas', () => {
  let rig: DomainRig;
  let host: HostFolder['path'];
  let write: HostFolder['write'];
  let read: HostFolder['read'];
  let exists: HostFolder['exists'];
  let files: Files;
  let registry: VolumeRegistry;

  /** Of whatever copies there are. */
  const sweep = async (): Promise<void> => {
    const volume = registry.get('local');
    const location = volume.locate(SCOPED.id);
    const { entries } = await volume.strategies.trees.list(location, UPLOAD_PATH, { limit: 0 });
    await sweepCopies(volume, SCOPED, entries, Number.MAX_SAFE_INTEGER);
  };
  beforeEach(async () => {
    rig = new DomainRig();
    ({ path: host, write, read, exists } = new HostFolder(rig, SCOPED));
    const worker = await rig.worker();
    ({ files, registry } = worker);
    await worker.vfolders.create(SCOPED);
    let first = true;
    injectFaults((syscall) => {
      if (syscall !== 'renameat2' || !first) return undefined;
      first = false;
      return Errno.EXDEV;
    });
  });
  afterEach(() => {
    injectFaults(undefined);
    rig.remove();
  });

  it('copies a tree with modes, times, links and odd names, then removes it', async () => {
    write('d/sub/file', 'content');
    fs.chmodSync(host('d/sub/file'), 0o640);
    fs.utimesSync(host('d/sub/file'), 1000, 2000);
    fs.symlinkSync('../../nowhere', host('d/link'));
    fs.chmodSync(host('d/sub'), 0o555);
    await files.move(SCOPED, p('d'), p('e'));
    expect(exists('d')).toBe(false);
    expect(read('e/sub/file')).toBe('content');
    const stat = fs.statSync(host('e/sub/file'));
    expect([stat.mode & 0o777, stat.mtimeMs]).toEqual([0o640, 2_000_000]);
    expect(fs.statSync(host('e/sub')).mode & 0o777).toBe(0o555);
    expect(fs.readlinkSync(host('e/link'))).toBe('../../nowhere');
    expect(fs.readdirSync(host()).toSorted()).toEqual(['e']);
  });

  it('replaces a file as rename does', async () => {
    write('a');
    write('b');
    await files.move(SCOPED, p('a'), p('b'));
    expect(read('b')).toBe('a');
    expect(exists('a')).toBe(false);
  });

  it('changes nothing when something cannot be copied', async () => {
    write('d/file');
    execFileSync('mkfifo', [host('d', 'fifo')]);
    await expect(files.move(SCOPED, p('d'), p('e'))).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    expect(fs.readdirSync(host()).toSorted()).toEqual(['d']);
    expect(fs.readdirSync(host('d')).toSorted()).toEqual(['fifo', 'file']);
  });

  /** The first rename says that there is a border; `during` sees the calls that follow, with their numbers. */
  const during = (see: (syscall: string, nth: number) => void): void => {
    const counts = new Map<string, number>();
    injectFaults((syscall) => {
      const nth = (counts.get(syscall) ?? 0) + 1;
      counts.set(syscall, nth);
      if (syscall === 'renameat2' && nth === 1) return Errno.EXDEV;
      see(syscall, nth);
      return undefined;
    });
  };

  it('copies extended attributes and owners', async () => {
    write('d/file');
    const isRoot = process.geteuid!() === 0;
    for (const name of ['d', 'd/file']) {
      withOpen(host(name), (fd) => sync.fsetxattr(fd, 'user.note', `of ${name}`));
      if (isRoot) fs.chownSync(host(name), 1234, 5678);
    }
    if (isRoot) fs.chmodSync(host('d/file'), 0o4750);
    await files.move(SCOPED, p('d'), p('e'));
    for (const name of ['d', 'd/file']) {
      const moved = host(name.replace('d', 'e'));
      const note = withOpen(moved, (fd) => sync.fgetxattr(fd, 'user.note'));
      expect(note.toString()).toBe(`of ${name}`);
      if (isRoot) expect(fs.statSync(moved)).toMatchObject({ uid: 1234, gid: 5678 });
    }
    if (isRoot) expect(fs.statSync(host('e/file')).mode & 0o7777).toBe(0o4750);
  });

  const asRoot = process.geteuid!() === 0 ? it : it.skip;
  asRoot.each<[string, (name: string) => void]>([
    ['a file', (name) => fs.writeFileSync(host(name), name)],
    ['a link', (name) => fs.symlinkSync('nowhere', host(name))],
    ['a directory', (name) => fs.mkdirSync(host(name))],
  ])('gives away nothing that takes the place of the copy of %s', async (_, make) => {
    for (const name of ['source', 'victim']) make(name);
    fs.lchownSync(host('source'), 1234, 5678);
    fs.lchownSync(host('victim'), 42, 42);
    const ino = fs.lstatSync(host('victim')).ino;
    const ownerOfVictim = (): number | undefined =>
      fs
        .readdirSync(host())
        .map((name) => fs.lstatSync(host(name)))
        .find((stat) => stat.ino === ino)?.uid;
    let owner: number | undefined;
    let isSwapped = false;
    // The copy has been made, and belongs to us yet.
    during((syscall) => {
      if (isSwapped) owner ??= ownerOfVictim();
      if (syscall !== 'fchownat' || isSwapped) return;
      isSwapped = true;
      const copy = fs.readdirSync(host()).find((name) => name.startsWith('.moving-'))!;
      fs.renameSync(host(copy), host('aside'));
      fs.renameSync(host('victim'), host(copy));
    });
    await files.move(SCOPED, p('source'), p('e')).catch(() => undefined);
    expect(owner).toBe(42);
  });

  it('does not move what somebody writes to', async () => {
    write('d/file', 'old');
    let isWritten = false;
    // Its content has been copied.
    during((syscall) => {
      if (syscall !== 'fchmod' || isWritten) return;
      isWritten = true;
      fs.appendFileSync(host('d/file'), ' and new');
    });
    await expect(files.move(SCOPED, p('d'), p('e'))).rejects.toMatchObject({ code: 'LOCKED' });
    expect(isWritten).toBe(true);
    expect(read('d/file')).toBe('old and new');
    expect(fs.readdirSync(host()).toSorted()).toEqual(['d']);
  });

  it('removes only what was copied, and says what has stayed', async () => {
    write('d/file', 'old');
    write('d/other', 'other');
    // The copy is whole, and about to be renamed into place.
    during((syscall, nth) => {
      if (syscall !== 'renameat2' || nth !== 2) return;
      fs.appendFileSync(host('d/file'), ' and new');
      write('d/late', 'late');
    });
    await expect(files.move(SCOPED, p('d'), p('e'))).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining('2 entries') as unknown,
    });
    expect(read('e/file')).toBe('old');
    expect(read('d/file')).toBe('old and new');
    expect(fs.readdirSync(host('d')).toSorted()).toEqual(['file', 'late']);
  });

  it('lets only one of two moves have the entry', async () => {
    write('d/file');
    // The copy is whole, and the entry about to be hidden.
    during((syscall, nth) => {
      if (syscall === 'renameat2' && nth === 2) fs.renameSync(host('d'), host('other'));
    });
    await expect(files.move(SCOPED, p('d'), p('e'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(fs.readdirSync(host()).toSorted()).toEqual(['other']);
    expect(read('other/file')).toBe('d/file');
  });

  it('takes an entry that comes meanwhile for one that stays', async () => {
    write('d/file');
    during((syscall) => {
      if (syscall === 'fchmod') write('d/late');
    });
    await expect(files.move(SCOPED, p('d'), p('e'))).rejects.toMatchObject({ code: 'LOCKED' });
    expect(fs.readdirSync(host('e'))).toEqual(['file']);
    expect(fs.readdirSync(host('d'))).toEqual(['late']);
  });

  it('refuses a file with a second name, which it would not have any more', async () => {
    write('d/file');
    fs.linkSync(host('d/file'), host('second'));
    await expect(files.move(SCOPED, p('d'), p('e'))).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    expect(exists('e')).toBe(false);
  });

  it('keeps the record of a copy that it cannot remove, and reports what went wrong first', async () => {
    write('d/file');
    let isFull = false;
    injectFaults((syscall) => {
      if (syscall === 'renameat2') return Errno.EXDEV;
      if (syscall === 'writev') isFull = true;
      if (syscall === 'writev') return Errno.EDQUOT;
      return isFull && syscall === 'unlinkat' ? Errno.EIO : undefined;
    });
    await expect(files.move(SCOPED, p('d'), p('e'))).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
    });
    injectFaults(undefined);
    expect(fs.readdirSync(host('.upload'))).toHaveLength(1);
    await sweep();
    expect(fs.readdirSync(host()).toSorted()).toEqual(['.upload', 'd']);
    expect(fs.readdirSync(host('.upload'))).toEqual([]);
  });

  it.each<[string, string, number, boolean, string[]]>([
    ['while it copies', 'fchmod', 1, false, ['d']],
    ['before it is hidden', 'renameat2', 2, false, ['d']],
    ['when it is hidden', 'renameat2', 3, false, ['d']],
    ['when the copy is in place', 'fsync', 1, true, ['d', 'e']],
    ['when that is durable', 'renameat2', 4, false, ['d', 'e']],
    ['when that has been noted', 'unlinkat', 1, true, ['e']],
    ['when some of it has been removed', 'unlinkat', 2, true, ['e']],
  ])('is whole after a kill %s', async (_, at, nth, afterPlacing, expected) => {
    write('d/a');
    write('d/sub/b');
    let renames = 0;
    let seen = 0;
    let isDead = false;
    injectFaults((syscall) => {
      if (syscall === 'renameat2') renames += 1;
      if (syscall === 'renameat2' && renames === 1) return Errno.EXDEV;
      if (syscall === at && (!afterPlacing || renames >= 3)) seen += 1;
      const nthNow = at === 'renameat2' ? renames : seen;
      isDead ||= syscall === at && nthNow === nth;
      return isDead && syscall !== 'close' ? Errno.EIO : undefined;
    });
    await files.move(SCOPED, p('d'), p('e')).catch(() => undefined);
    expect(isDead).toBe(true);
    injectFaults(undefined);
    await sweep();
    const left = fs.readdirSync(host());
    expect(left.filter((name) => name !== '.upload').toSorted()).toEqual(expected);
    for (const name of expected) {
      expect(read(`${name}/a`)).toBe('d/a');
      expect(read(`${name}/sub/b`)).toBe('d/sub/b');
    }
    expect(fs.readdirSync(host('.upload'))).toEqual([]);
  });

  it('has moved although the new name could not be synced; the old entry goes with the sweep', async () => {
    write('d/file');
    let renames = 0;
    let isFailed = false;
    injectFaults((syscall) => {
      if (syscall === 'renameat2' && ++renames === 1) return Errno.EXDEV;
      if (syscall !== 'fsync' || renames !== 3 || isFailed) return undefined;
      isFailed = true;
      return Errno.EIO;
    });
    await files.move(SCOPED, p('d'), p('e'));
    expect(isFailed).toBe(true);
    expect(exists('d')).toBe(false);
    const hidden = fs.readdirSync(host()).filter((name) => name.startsWith('.moved-'));
    expect(fs.readdirSync(host(hidden[0]!))).toEqual(['file']);
    await sweep();
    expect(fs.readdirSync(host()).toSorted()).toEqual(['.upload', 'e']);
  });

  it('gives no name back that somebody has taken meanwhile, until it is free', async () => {
    injectFaults(undefined);
    const id = 'a'.repeat(32);
    write(`.moved-${id}/file`);
    write('d/new');
    fs.mkdirSync(host('.upload'));
    fs.symlinkSync(`.moving-${id}//d`, host('.upload', `${id}.copy`));
    await sweep();
    expect(fs.readdirSync(host('d'))).toEqual(['new']);
    fs.rmSync(host('d'), { recursive: true });
    await sweep();
    expect(fs.readdirSync(host('d'))).toEqual(['file']);
    expect(fs.readdirSync(host('.upload'))).toEqual([]);
  });

  it('puts on record what a crash would leave', async () => {
    write('d/file');
    const seen: string[][] = [];
    during((syscall) => {
      if (syscall === 'fchmod') seen.push(fs.readdirSync(host('.upload')));
    });
    await files.move(SCOPED, p('d'), p('e'));
    expect([...new Set(seen.flat())]).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.copy$/)]);
    expect(exists('.upload')).toBe(false);
  });
});
