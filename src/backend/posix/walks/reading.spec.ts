import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Errno } from '../../../native/errno.js';
import { injectFaults } from '../../../native/ffi.js';
import type { Entry, ScannedEntry } from '../../contract/entry.js';
import type { TreeUsage } from '../../contract/tree-operations.js';
import { decodeEntries, decodeScannedEntries } from '../entry-codec.js';
import {
  asNobody,
  countDescriptors,
  drain,
  makeDeepTree,
  makeScratch,
  openDirectory,
  removeScratch,
} from '../testing/tree.js';
import { Pace } from '../walk.js';
import { list } from './list.js';
import { scan } from './scan.js';
import { usage } from './usage.js';

const ODD_NAMES = [
  Buffer.from('with\nnewline'),
  Buffer.from(' space '),
  Buffer.from([0xff, 0xfe, 0x80]),
  Buffer.from('é'.repeat(127) + 'x'),
  Buffer.from('...'),
];

describe('walks that read', () => {
  let top: string;
  const at = (...parts: string[]): string => path.join(top, ...parts);

  beforeEach(() => {
    top = makeScratch();
  });
  afterEach(() => {
    injectFaults(undefined);
    removeScratch(top);
  });

  function writeOddNames(): void {
    for (const name of ODD_NAMES)
      fs.writeFileSync(Buffer.concat([Buffer.from(top + '/'), name]), 'x');
  }

  const sorted = (names: readonly Buffer[]): string[] =>
    names.map((name) => name.toString('hex')).toSorted();

  describe('list', () => {
    const listing = (
      limit = 0,
      cursor?: string,
    ): { entries: Entry[]; nextCursor: string | undefined } => {
      const { result, batches } = drain(list(openDirectory(top), { limit, cursor }, new Pace()));
      return { entries: batches.flatMap(decodeEntries), nextCursor: result };
    };

    it('shows every kind of entry by its own stat', () => {
      fs.mkdirSync(at('directory'), { mode: 0o750 });
      fs.writeFileSync(at('file'), 'content', { mode: 0o640 });
      fs.symlinkSync('../nowhere', at('link'));
      execFileSync('mkfifo', [at('fifo')]);
      fs.utimesSync(at('file'), 1_000_000.5, 1_000_000.25);
      const { entries, nextCursor } = listing();
      const byName = new Map(entries.map((entry) => [entry.name.toString(), entry]));
      expect(nextCursor).toBeUndefined();
      expect([...byName.keys()].toSorted()).toEqual(['directory', 'fifo', 'file', 'link']);
      expect(byName.get('directory')).toMatchObject({ type: 'DIRECTORY', mode: 0o40750 });
      expect(byName.get('file')).toMatchObject({
        type: 'FILE',
        mode: 0o100640,
        sizeBytes: 7,
        mtimeNs: 1_000_000_250_000_000n,
      });
      expect(byName.get('file')).not.toHaveProperty('target');
      expect(byName.get('link')).toMatchObject({
        type: 'SYMLINK',
        target: Buffer.from('../nowhere'),
      });
      expect(byName.get('fifo')).toMatchObject({ type: 'FILE' });
    });

    it('keeps names as bytes', () => {
      writeOddNames();
      expect(sorted(listing().entries.map(({ name }) => name))).toEqual(sorted(ODD_NAMES));
    });

    it('pages through a directory, every entry once', () => {
      for (let index = 0; index < 25; index++) fs.writeFileSync(at(`f${index}`), '');
      const names: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = listing(10, cursor);
        names.push(...page.entries.map(({ name }) => name.toString()));
        cursor = page.nextCursor;
        pages++;
      } while (cursor !== undefined);
      expect(pages).toBe(3);
      expect(new Set(names).size).toBe(25);
      expect(names).toHaveLength(25);
    });

    it('has no next page when the limit is exactly what is there', () => {
      fs.writeFileSync(at('one'), '');
      expect(listing(1).nextCursor).toBeUndefined();
    });

    it.each(['', 'not a cursor', '-', 'zzzzzzzzzzzzz', '../x'])(
      'refuses %j as a cursor',
      (cursor) => {
        const before = countDescriptors();
        expect(() => listing(1, cursor)).toThrow('EINVAL');
        expect(countDescriptors()).toBe(before);
      },
    );

    it('leaves out what vanishes while it reads', () => {
      for (let index = 0; index < 200; index++) fs.writeFileSync(at(`f${index}`), '');
      const walk = list(openDirectory(top), { limit: 0 }, new Pace());
      walk.next();
      fs.readdirSync(top).forEach((name) => fs.unlinkSync(at(name)));
      const { batches } = drain(walk);
      expect(batches.flatMap(decodeEntries).length).toBeLessThan(200);
    });
  });

  describe('usage', () => {
    it('counts every entry once, directories and links included, and follows nothing', () => {
      fs.mkdirSync(at('a/b'), { recursive: true });
      fs.writeFileSync(at('a/b/file'), Buffer.alloc(12345));
      fs.symlinkSync('/usr', at('a/link'));
      fs.symlinkSync('a', at('loop'));
      const expected = Number(execFileSync('du', ['-sb', top]).toString().split('\t')[0]);
      const { result } = drain(usage(openDirectory(top), new Pace()));
      expect(result).toEqual({
        fileCount: 5,
        usedBytes: expected - fs.statSync(top).size,
      });
    });

    it.each([
      ['statx', 1, 0],
      ['statx', 2, 1],
      ['openat', 1, 1],
      ['openat', 2, 2],
      ['getdents64', 3, 2],
    ])(
      'passes by what %s finds ESTALE in a directory that others removed',
      (failing, call, count) => {
        fs.mkdirSync(at('a/b/c'), { recursive: true });
        const walk = usage(openDirectory(top), new Pace());
        let calls = 0;
        injectFaults((syscall) => {
          if (syscall !== failing || ++calls !== call) return undefined;
          fs.rmSync(at('a'), { recursive: true });
          return Errno.ESTALE;
        });
        expect(drain(walk).result.fileCount).toBe(count);
      },
    );

    it.each([1, 2, 3])('counts every entry once when %d walks share the tree', (count) => {
      for (const directory of ['', 'a', 'b', 'a/c', 'a/d', 'b/e/f']) {
        fs.mkdirSync(at(directory), { recursive: true });
        for (let index = 0; index < 20; index++) {
          fs.writeFileSync(at(path.join(directory, `file-${index}`)), Buffer.alloc(index + 1));
        }
      }
      const omit = [Buffer.from('file-7')];
      for (const filesOnly of [false, true]) {
        const part = (index: number): TreeUsage =>
          drain(usage(openDirectory(top), new Pace(), { omit, filesOnly, share: { index, count } }))
            .result;
        const parts = Array.from({ length: count }, (_, index) => part(index));
        const whole = drain(usage(openDirectory(top), new Pace(), { omit, filesOnly })).result;
        expect(whole.fileCount).toBe(6 * 20 - 1 + 6);
        expect(parts.every(({ fileCount }) => fileCount < whole.fileCount || count === 1)).toBe(
          true,
        );
        expect({
          fileCount: parts.reduce((sum, { fileCount }) => sum + fileCount, 0),
          usedBytes: parts.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
        }).toEqual(whole);
      }
    });

    it('counts a directory that may not be read, and goes on', () => {
      fs.mkdirSync(at('closed'));
      fs.writeFileSync(at('closed/inner'), '');
      fs.writeFileSync(at('open'), 'x');
      fs.chmodSync(at('closed'), 0);
      const restricted = asNobody(() => drain(usage(openDirectory(top), new Pace())).result);
      expect(restricted.fileCount).toBe(2);
    });

    it('walks 10,000 levels with few descriptors', () => {
      makeDeepTree(top, 10_000);
      const before = countDescriptors();
      let most = 0;
      const { result } = drain(usage(openDirectory(top), new Pace()), (step) => {
        if (step % 50 === 0) most = Math.max(most, countDescriptors());
      });
      expect(result.fileCount).toBe(10_001);
      expect(most - before).toBeLessThan(40);
      expect(countDescriptors()).toBe(before);
    });

    it('closes its descriptors when it is ended halfway', () => {
      makeDeepTree(top, 200);
      const before = countDescriptors();
      const walk = usage(openDirectory(top), new Pace());
      walk.next();
      expect(countDescriptors()).toBeGreaterThan(before);
      walk.return(undefined as never);
      expect(countDescriptors()).toBe(before);
    });
  });

  describe('scan', () => {
    const scanned = (omit: Buffer[] = []): ScannedEntry[] =>
      drain(scan(openDirectory(top), new Pace(), { omit })).batches.flatMap(decodeScannedEntries);
    const paths = (entries: ScannedEntry[]): string[] =>
      entries.map((entry) => entry.path.toString());

    it('meets every directory before its content, and no special file', () => {
      fs.mkdirSync(at('a/b'), { recursive: true });
      fs.writeFileSync(at('a/b/file'), 'x');
      fs.symlinkSync('b', at('a/link'));
      execFileSync('mkfifo', [at('a/fifo')]);
      const found = paths(scanned());
      expect(found.toSorted()).toEqual(['a', 'a/b', 'a/b/file', 'a/link']);
      expect(found.indexOf('a')).toBeLessThan(found.indexOf('a/b'));
      expect(found.indexOf('a/b')).toBeLessThan(found.indexOf('a/b/file'));
    });

    it('tells what is needed to open the same file later', () => {
      fs.writeFileSync(at('file'), 'abc');
      const { dev, ino } = fs.statSync(at('file'), { bigint: true });
      const [entry] = scanned();
      expect(entry).toMatchObject({ type: 'FILE', sizeBytes: 3, ino });
      // Ours is an identity, not the kernel's number; major and minor are in it.
      expect(entry!.dev & 0xffn).toBe(dev & 0xffn);
    });

    describe('with content', () => {
      const contentsOf = (contentUpToBytes: number): Record<string, string | undefined> => {
        const walk = scan(openDirectory(top), new Pace(), { contentUpToBytes });
        const entries = drain(walk).batches.flatMap(decodeScannedEntries);
        return Object.fromEntries(
          entries.map((entry) => [entry.path.toString(), entry.content?.toString()]),
        );
      };

      it('reads regular files up to the size that was asked for', () => {
        fs.mkdirSync(at('directory'));
        fs.writeFileSync(at('directory/small'), 'small');
        fs.writeFileSync(at('limit'), 'x'.repeat(1000));
        fs.writeFileSync(at('larger'), 'x'.repeat(1001));
        fs.writeFileSync(at('empty'), '');
        fs.symlinkSync('limit', at('link'));
        execFileSync('mkfifo', [at('fifo')]);
        const before = countDescriptors();
        expect(contentsOf(1000)).toEqual({
          directory: undefined,
          'directory/small': 'small',
          limit: 'x'.repeat(1000),
          larger: undefined,
          empty: undefined,
          link: undefined,
        });
        expect(countDescriptors()).toBe(before);
        expect(contentsOf(0).limit).toBeUndefined();
      });

      it('fills many batches, and tells the same of every entry as without', () => {
        for (let index = 0; index < 300; index++) {
          fs.writeFileSync(at(`file-${index}`), `${index} `.repeat(index));
        }
        const walk = scan(openDirectory(top), new Pace(), { contentUpToBytes: 1000 });
        const { batches } = drain(walk);
        expect(batches.length).toBeGreaterThan(1);
        const entries = batches.flatMap(decodeScannedEntries);
        expect(entries.map((entry) => ({ ...entry, content: undefined }))).toEqual(scanned());
        for (const { path: name, content } of entries) {
          const bytes = fs.readFileSync(at(name.toString()));
          const isSmall = bytes.length > 0 && bytes.length <= 1000;
          expect(content).toEqual(isSmall ? bytes : undefined);
        }
      });

      // tmpfs is read in one way, other filesystems in the other.
      it.each([['openat'], ['statx'], ['read', 'preadv2']])(
        'leaves what cannot be read to others when %s fails',
        (...failing) => {
          fs.writeFileSync(at('file'), 'content');
          let failures = 0;
          const before = countDescriptors();
          const walk = scan(openDirectory(top), new Pace(), { contentUpToBytes: 1000 });
          injectFaults((syscall) =>
            failing.includes(syscall) && failures++ === 0 ? Errno.EACCES : undefined,
          );
          const [entry] = drain(walk).batches.flatMap(decodeScannedEntries);
          expect(failures).toBeGreaterThan(0);
          expect(entry).toMatchObject({ type: 'FILE', sizeBytes: 7, content: undefined });
          expect(countDescriptors()).toBe(before);
        },
      );
    });

    it('leaves names out at the top only', () => {
      fs.mkdirSync(at('.upload/x'), { recursive: true });
      fs.mkdirSync(at('a/.upload'), { recursive: true });
      expect(paths(scanned([Buffer.from('.upload')])).toSorted()).toEqual(['a', 'a/.upload']);
    });

    it('passes over names that are none, wherever they are listed', () => {
      fs.mkdirSync(at('a/.snapshot/b'), { recursive: true });
      fs.mkdirSync(at('.snapshot/b'), { recursive: true });
      fs.writeFileSync(at('.snapshots'), 'x');
      const pace = (): Pace => Object.assign(new Pace(), { hidden: [Buffer.from('.snapshot')] });
      const met = drain(scan(openDirectory(top), pace())).batches.flatMap(decodeScannedEntries);
      expect(paths(met).toSorted()).toEqual(['.snapshots', 'a']);
      expect(drain(usage(openDirectory(top), pace())).result.fileCount).toBe(2);
      const listed = drain(list(openDirectory(top), { limit: 0 }, pace())).batches;
      expect(listed.flatMap(decodeEntries)).toHaveLength(2);
    });

    it('keeps names as bytes', () => {
      writeOddNames();
      expect(sorted(scanned().map((entry) => entry.path))).toEqual(sorted(ODD_NAMES));
    });

    it('stops where a path would be too long for any call', () => {
      makeDeepTree(top, 3000);
      const found = scanned();
      expect(found).toHaveLength(2048);
      expect(Math.max(...found.map((entry) => entry.path.length))).toBe(4095);
    });
  });
});
