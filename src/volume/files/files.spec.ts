import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Errno } from '../../native/errno.js';
import { injectFaults } from '../../native/ffi.js';
import { DomainRig, HostFolder, p, SCOPED, UNSCOPED } from '../testing/domain-rig.js';
import type { Files } from './files.js';
import type { ListedEntry } from './listing.js';

describe('Files', () => {
  let rig: DomainRig;
  let host: HostFolder['path'];
  let write: HostFolder['write'];
  let read: HostFolder['read'];
  let exists: HostFolder['exists'];
  let files: Files;
  beforeEach(async () => {
    rig = new DomainRig();
    ({ path: host, write, read, exists } = new HostFolder(rig, SCOPED));
    const worker = await rig.worker();
    ({ files } = worker);
    await worker.vfolders.create(SCOPED);
    await worker.vfolders.create(UNSCOPED);
    fs.writeFileSync(path.join(rig.path, 'secret'), 'secret');
    fs.symlinkSync(rig.path, host('out'));
    fs.symlinkSync('../../../../secret', host('out-relative'));
  });
  afterEach(() => {
    injectFaults(undefined);
    rig.remove();
  });

  it.each<[string, (missing: typeof SCOPED) => Promise<unknown>]>([
    ['mkdir', (ref) => files.mkdir(ref, [p('a')], { parents: true, existOk: false })],
    ['list', (ref) => files.list(ref, p('.'))],
    ['rename', (ref) => files.rename(ref, p('a'), 'b')],
    ['move', (ref) => files.move(ref, p('a'), p('b'))],
    ['delete', (ref) => files.delete(ref, [p('a')], true)],
    ['open', (ref) => files.open(ref, p('a'))],
  ])('%s tells a missing vfolder from a missing entry (M5)', async (_, call) => {
    fs.rmdirSync(rig.hostPath(UNSCOPED));
    await expect(call(UNSCOPED)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { subject: 'vfolder', vfid: UNSCOPED.id.toString() },
    });
  });

  describe('mkdir', () => {
    it('attempts each path and reports each', async () => {
      write('file');
      const results = await files.mkdir(
        SCOPED,
        ['a/b', 'file', 'a', 'out/x', 'file/x', '.', '.upload/x'].map(p),
        { parents: true, existOk: false },
      );
      expect(results.map(({ path, error }) => [path.toString(), error?.code ?? 'made'])).toEqual([
        ['a/b', 'made'],
        ['file', 'ALREADY_EXISTS'],
        ['a', 'ALREADY_EXISTS'],
        ['out/x', 'OUTSIDE_VFOLDER'],
        ['file/x', 'NOT_A_DIRECTORY'],
        ['.', 'ALREADY_EXISTS'],
        ['.upload/x', 'INVALID_ARGUMENT'],
      ]);
      expect(results[1]?.error).toMatchObject({
        message: 'File exists',
        details: { errno: 17, paths: ['file'], vfid: SCOPED.id.toString() },
      });
      expect(fs.existsSync(path.join(rig.path, 'x'))).toBe(false);
    });

    it('minds parents and existOk', async () => {
      write('file');
      const options = { parents: false, existOk: true };
      const results = await files.mkdir(SCOPED, ['a/b', 'c', 'c', '.', 'file'].map(p), options);
      expect(results.map(({ error }) => error?.details.errno ?? 'made')).toEqual([
        2,
        'made',
        'made',
        'made',
        17,
      ]);
    });
  });

  describe('list', () => {
    it('shows entries by lstat and hides .upload of the vfolder itself', async () => {
      write('.upload/session');
      write('d/.upload/x');
      write('file', '12345');
      execFileSync('mkfifo', [host('fifo')]);
      const { entries, truncated } = await files.list(SCOPED, p('.'));
      const byName = new Map(entries.map((entry) => [entry.name.toString(), entry]));
      expect([...byName.keys()].toSorted()).toEqual(['d', 'fifo', 'file', 'out', 'out-relative']);
      expect(byName.get('file')).toMatchObject({ type: 'FILE', sizeBytes: 5, symlinkTarget: '' });
      expect(byName.get('fifo')).toMatchObject({ type: 'FILE' });
      expect(byName.get('d')).toMatchObject({ type: 'DIRECTORY' });
      expect(byName.get('out')).toMatchObject({ type: 'SYMLINK', symlinkTarget: '' });
      expect(byName.get('out')?.mode).toBe(fs.lstatSync(host('out')).mode);
      expect(truncated).toBe(false);
      const below = await files.list(SCOPED, p('d'));
      expect(below.entries.map(({ name }) => name.toString())).toEqual(['.upload']);
    });

    it('asks no tree thread about a small directory, and says of it what one would say', async () => {
      write('d/file', '12345');
      write('d/.upload/x');
      fs.symlinkSync('file', host('d', 'link'));
      execFileSync('mkfifo', [host('d', 'fifo')]);
      const worker = await rig.worker();
      const volume = worker.registry.get('local');
      // Where the temporary directory is on another filesystem there is nothing to see.
      if (!volume.answersAtOnce) return;
      const { trees } = volume.strategies;
      const asked: string[] = [];
      const list = trees.list.bind(trees);
      trees.list = (root, at, options) => {
        asked.push(at.toString());
        return list(root, at, options);
      };
      const small = await worker.files.list(SCOPED, p('d'), { limit: 0, order: 'name' });
      expect(asked).toEqual([]);
      if (volume.state.kind === 'open') volume.become({ ...volume.state, atOnce: false });
      expect(await worker.files.list(SCOPED, p('d'), { limit: 0, order: 'name' })).toEqual(small);
      expect(asked).toEqual(['d']);
    });

    it('shows all of a directory that is not small', async () => {
      const names = Array.from({ length: 70 }, (_, index) => `file-${index}`);
      for (const name of names) write(`d/${name}`, '');
      const { entries } = await files.list(SCOPED, p('d'));
      expect(entries.map(({ name }) => name.toString()).toSorted()).toEqual(names.toSorted());
    });

    it.each(['directory', 'name'] as const)(
      'has for each entry what the caller makes of it, in the order of %s',
      async (order) => {
        for (let index = 0; index < 1000; index++) write(`d/file-${index}`, 'x'.repeat(index % 7));
        fs.symlinkSync('file-1', host('d', 'link'));
        const page = { limit: 0, order };
        const { entries } = await files.list(SCOPED, p('d'), page);
        const made: string[] = [];
        const text = ({ name, sizeBytes, symlinkTarget }: ListedEntry): string =>
          `${name.toString()} ${sizeBytes} ${symlinkTarget}`;
        const listing = await files.list(SCOPED, p('d'), page, (entry) => {
          made.push(text(entry));
          return text(entry);
        });
        expect(listing).toEqual({ entries: entries.map(text), truncated: false });
        // Once each, links last: they wait for where they lead.
        expect(made.toSorted()).toEqual(listing.entries.toSorted());
        expect(made.at(-1)).toBe('link 6 file-1');
      },
    );

    it.each([1, 2, 5, 6])(
      'says when a limit of %d leaves entries out (M12)',
      async (scandirLimit) => {
        fs.rmSync(host('out'));
        fs.rmSync(host('out-relative'));
        fs.mkdirSync(host('.upload'));
        for (const name of ['a', 'b', 'c', 'd', 'e']) write(name);
        Object.assign(rig.settings, { scandirLimit });
        const { entries, truncated } = await files.list(SCOPED, p('.'));
        expect(entries).toHaveLength(Math.min(scandirLimit, 5));
        expect(truncated).toBe(scandirLimit < 5);
        expect(entries.map(({ name }) => name.toString())).not.toContain('.upload');
      },
    );

    it('shows names that are not UTF-8 as they are', async () => {
      const name = Buffer.from([0x66, 0xff, 0x80]);
      fs.writeFileSync(Buffer.concat([Buffer.from(`${host()}/`), name]), '');
      const { entries } = await files.list(SCOPED, p('.'));
      expect(entries.some((entry) => entry.name.equals(name))).toBe(true);
      await files.rename(SCOPED, p('f\udcff\udc80'), 'plain');
      expect(exists('plain')).toBe(true);
    });

    it.each([
      ['missing', 'NOT_FOUND', 2],
      ['file', 'NOT_A_DIRECTORY', 20],
      ['out', 'OUTSIDE_VFOLDER', 18],
    ])('of %s fails with %s', async (name, code, errno) => {
      write('file');
      await expect(files.list(SCOPED, p(name))).rejects.toMatchObject({
        code,
        details: { errno, paths: [name] },
      });
    });

    const links: [name: string, target: string, current: string, legacy: string][] = [
      ['sibling', 'file', 'file', '/d/file'],
      ['nested', 'sub/deep', 'sub/deep', '/d/sub/deep'],
      ['around', '../d/file', 'file', '/d/file'],
      ['up', '../top', '', '/top'],
      ['here', '.', '.', '/d'],
      ['root', '..', '', '/'],
      ['chain', 'sibling', 'file', '/d/file'],
      ['dangling', 'nowhere', 'nowhere', '/d/nowhere'],
      ['dangling-below', 'sub/nowhere', 'sub/nowhere', '/d/sub/nowhere'],
      ['dangling-chain', 'dangling', '', ''],
      ['loop', 'loop', '', ''],
      ['host', '/etc/passwd', '', ''],
      ['outside', '../../../../../secret', '', ''],
      ['outside-dangling', '../../nowhere', '', ''],
    ];
    it.each([
      ['scoped', SCOPED, 2],
      ['unscoped', UNSCOPED, 3],
    ] as const)(
      'says where links of a %s vfolder lead, never out of it (S14)',
      async (_, ref, column) => {
        const at = (...names: string[]): string => rig.hostPath(ref, ...names);
        fs.mkdirSync(at('d', 'sub'), { recursive: true });
        for (const file of ['top', 'd/file', 'd/sub/deep']) fs.writeFileSync(at(file), '');
        for (const [name, target] of links) fs.symlinkSync(target, at('d', name));
        const { entries } = await files.list(ref, p('d'));
        const targets = new Map(entries.map((e) => [e.name.toString(), e.symlinkTarget]));
        expect(links.map(([name]) => [name, targets.get(name)])).toEqual(
          links.map((link) => [link[0], link[column]]),
        );
      },
    );
  });

  describe('rename', () => {
    it('gives another name in the same directory', async () => {
      write('d/a');
      await files.rename(SCOPED, p('d/a'), 'b');
      expect(read('d/b')).toBe('d/a');
      await files.rename(SCOPED, p('d/b'), 'b');
      await files.rename(SCOPED, p('out'), 'out2');
      expect(fs.lstatSync(host('out2')).isSymbolicLink()).toBe(true);
    });

    it.each(['a/b', '', '.', '..', 'x\0'])('refuses %p as a name (M4)', async (name) => {
      write('a');
      await expect(files.rename(SCOPED, p('a'), name)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    });

    it('refuses the vfolder itself, and what is reserved (M4)', async () => {
      write('a');
      for (const [from, to] of [
        ['.', 'x'],
        ['a', '.upload'],
        ['.upload', 'x'],
      ] as const) {
        await expect(files.rename(SCOPED, p(from), to)).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          details: { subject: 'entry' },
        });
      }
    });

    it.each([[undefined], [Errno.EINVAL]])(
      'never replaces (renameat2 knows the flag: %p)',
      async (errno) => {
        write('a');
        write('b');
        let calls = 0;
        injectFaults((syscall) => (syscall === 'renameat2' && calls++ === 0 ? errno : undefined));
        await expect(files.rename(SCOPED, p('a'), 'b')).rejects.toMatchObject({
          code: 'ALREADY_EXISTS',
          details: { errno: 17, paths: ['a', 'b'] },
        });
        expect(read('b')).toBe('b');
        calls = 0;
        await files.rename(SCOPED, p('a'), 'c');
        expect(read('c')).toBe('a');
      },
    );

    it('of what is missing is an fs-error', async () => {
      await expect(files.rename(SCOPED, p('a'), 'b')).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { subject: 'entry', errno: 2 },
      });
    });
  });

  describe('move', () => {
    it.each<[string, string[], string, string, string]>([
      ['to a free name', ['a'], 'a', 'b', 'b'],
      ['into a directory', ['a', 'd/x'], 'a', 'd', 'd/a'],
      ['into the vfolder itself', ['d/a'], 'd/a', '.', 'a'],
      ['over a file', ['a', 'b'], 'a', 'b', 'b'],
      ['over a directory’s parents that are missing', ['d/x'], 'd', 'n/e/w', 'n/e/w/x'],
      ['a directory into a directory', ['d/x', 'e/y'], 'd', 'e', 'e/d/x'],
    ])('%s', async (_, given, from, to, expected) => {
      for (const name of given) write(name);
      await files.move(SCOPED, p(from), p(to));
      expect(exists(from)).toBe(false);
      expect(exists(expected)).toBe(true);
    });

    it('moves a link itself, and follows one that leads to a directory inside', async () => {
      write('d/x');
      fs.symlinkSync('d', host('to-d'));
      fs.symlinkSync('d', host('also'));
      await files.move(SCOPED, p('also'), p('to-d'));
      expect(fs.readlinkSync(host('d', 'also'))).toBe('d');
    });

    it('onto itself does nothing', async () => {
      write('a');
      await files.move(SCOPED, p('a'), p('a'));
      expect(read('a')).toBe('a');
    });

    it.each<[string, string, string, object]>([
      ['a missing source', 'nope', 'b', { code: 'NOT_FOUND', details: { errno: 2 } }],
      ['a file to a missing parent', 'a', 'n/b', { code: 'NOT_FOUND', details: { errno: 2 } }],
      ['a directory over a file', 'd', 'a', { code: 'NOT_A_DIRECTORY', details: { errno: 20 } }],
      ['a directory into itself', 'd', 'd/sub/new', { code: 'INVALID_ARGUMENT' }],
      ['a directory into itself by name', 'd', 'd', { code: 'INVALID_ARGUMENT' }],
      ['a directory into itself by a link', 'd', 'to-sub', { code: 'INVALID_ARGUMENT' }],
      ['the vfolder itself', '.', 'd', { code: 'INVALID_ARGUMENT' }],
      ['what is reserved', '.upload/x', 'd', { code: 'INVALID_ARGUMENT' }],
      ['to what is reserved', 'd/.upload', '.', { code: 'INVALID_ARGUMENT' }],
      ['out of the vfolder', 'a', 'out/a', { code: 'OUTSIDE_VFOLDER' }],
      ['onto a link that leads out', 'a', 'out', { code: 'OUTSIDE_VFOLDER' }],
      ['from outside', 'out/secret', 'b', { code: 'OUTSIDE_VFOLDER' }],
      ['onto a taken name in a directory', 'a', 'e', { code: 'ALREADY_EXISTS' }],
    ])('refuses %s (S14)', async (_, from, to, expected) => {
      for (const name of ['a', 'd/sub/x', 'd/.upload', 'e/a']) write(name);
      fs.symlinkSync('d/sub', host('to-sub'));
      const error: unknown = await files.move(SCOPED, p(from), p(to)).catch((e: unknown) => e);
      expect(error).toMatchObject(expected);
      expect(JSON.stringify(error) + String(error)).not.toContain(rig.path);
      expect(fs.readFileSync(path.join(rig.path, 'secret'), 'utf8')).toBe('secret');
      expect(read('e/a')).toBe('e/a');
    });
  });

  describe('delete', () => {
    it('removes files, links themselves, FIFOs and trees; twice is fine (S6)', async () => {
      write('target/file');
      write('d/e/f');
      fs.symlinkSync('target', host('in'));
      fs.symlinkSync('nowhere', host('dangling'));
      execFileSync('mkfifo', [host('fifo')]);
      const paths = ['in', 'out', 'out-relative', 'dangling', 'fifo', 'd', 'target/file'].map(p);
      await files.delete(SCOPED, paths, true);
      await files.delete(SCOPED, paths, true);
      expect(fs.readdirSync(host())).toEqual(['target']);
      expect(fs.existsSync(path.join(rig.path, 'secret'))).toBe(true);
    });

    it.each<[string, string, boolean, object]>([
      ['the vfolder itself (S7)', '.', true, { code: 'OUTSIDE_VFOLDER' }],
      ['the vfolder by a detour (S7)', 'd/..', true, { code: 'OUTSIDE_VFOLDER' }],
      ['through a link that leads out', 'out/secret', true, { code: 'OUTSIDE_VFOLDER' }],
      [
        'a directory without recursive (M13)',
        'd',
        false,
        { code: 'IS_A_DIRECTORY', details: { errno: 21 } },
      ],
      ['.upload', '.upload', true, { code: 'INVALID_ARGUMENT' }],
    ])('refuses %s, and then deletes nothing', async (_, bad, recursive, expected) => {
      write('first');
      write('d/x');
      await expect(files.delete(SCOPED, [p('first'), p(bad)], recursive)).rejects.toMatchObject(
        expected,
      );
      expect(exists('first')).toBe(true);
      expect(exists('d/x')).toBe(true);
    });

    it('passes over what is missing for scoped ids, fails for unscoped ones', async () => {
      await files.delete(SCOPED, [p('missing'), p('also/missing')], false);
      await files.delete(SCOPED, [], false);
      await files.delete(UNSCOPED, [], false);
      await expect(files.delete(UNSCOPED, [p('missing')], false)).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { errno: 2, paths: ['missing'] },
      });
    });
  });

  describe('open', () => {
    it('reads a regular file, by a link inside too', async () => {
      write('d/file', 'hello');
      fs.symlinkSync('d/file', host('link'));
      for (const name of ['d/file', 'link']) {
        const file = await files.open(SCOPED, p(name));
        const buffer = Buffer.alloc(10);
        expect(file.sizeBytes).toBe(5);
        expect(await file.read(buffer, 1)).toBe(4);
        expect(buffer.toString('utf8', 0, 4)).toBe('ello');
        await file.close();
      }
    });

    it.each([
      ['missing', 'NOT_FOUND'],
      ['d', 'IS_A_DIRECTORY'],
      ['.', 'IS_A_DIRECTORY'],
      ['fifo', 'NOT_A_FILE'],
      ['out-relative', 'OUTSIDE_VFOLDER'],
      ['out/secret', 'OUTSIDE_VFOLDER'],
      ['d/file/x', 'NOT_A_DIRECTORY'],
    ])('of %s fails with %s', async (name, code) => {
      write('d/file');
      execFileSync('mkfifo', [host('fifo')]);
      await expect(files.open(SCOPED, p(name))).rejects.toMatchObject({
        code,
        details: { paths: [name], vfid: SCOPED.id.toString() },
      });
    });

    it('closes a file that comes too late for whoever asked', async () => {
      Object.assign(rig.settings, { operationDeadlineMs: 30 });
      const { files: impatient, registry } = await rig.worker();
      const volume = registry.get('local');
      while (!volume.isUsable) await sleep(10);
      // Nothing that is in memory comes late.
      if (volume.state.kind === 'open') volume.become({ ...volume.state, atOnce: false });
      write('file');
      const openDescriptors = (): string[] => fs.readdirSync('/proc/self/fd');
      const before = openDescriptors().length;
      injectFaults((syscall) => {
        if (syscall === 'openat2') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 15);
        return undefined;
      });
      await expect(impatient.open(SCOPED, p('file'))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      });
      injectFaults(undefined);
      await sleep(100);
      expect(openDescriptors().length).toBe(before);
    });
  });
});
