import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Errno } from '../../../native/errno.js';
import { injectFaults } from '../../../native/ffi.js';
import {
  asNobody,
  countDescriptors,
  drain,
  makeDeepTree,
  makeScratch,
  openDirectory,
  removeScratch,
} from '../testing/tree.js';
import { Pace, type Walk } from '../walk.js';
import { copy, type CopyPlan } from './copy.js';

describe('copy', () => {
  let top: string;
  const at = (...parts: string[]): string => path.join(top, ...parts);
  const copying = (plan: Partial<CopyPlan> = {}): Walk<void> =>
    copy(
      {
        source: openDirectory(at('source')),
        destinationParent: openDirectory(top),
        destinationName: Buffer.from('destination'),
        omit: [],
        syncFiles: false,
        syncFilesystem: false,
        ...plan,
      },
      new Pace(),
    );

  /** Everything that a copy keeps, from a program that is not ours. */
  const describeTree = (name: string): string =>
    execFileSync('find', ['.', '-printf', '%p %y %m %T@ %l\n'], { cwd: at(name) })
      .toString()
      .split('\n')
      .toSorted()
      .join('\n');

  beforeEach(() => {
    top = makeScratch();
    fs.mkdirSync(at('source/a/b'), { recursive: true });
    fs.writeFileSync(at('source/a/file'), 'content', { mode: 0o640 });
    fs.writeFileSync(at('source/a/empty'), '');
    fs.symlinkSync('../../outside', at('source/a/link'));
    fs.utimesSync(at('source/a/file'), 1e9 + 0.125, 1e9 + 0.25);
    fs.lutimesSync(at('source/a/link'), 1e9, 1e9);
    fs.chmodSync(at('source/a/b'), 0o2750);
    fs.chmodSync(at('source/a'), 0o555);
    fs.utimesSync(at('source/a'), 1e9, 1e9);
  });
  afterEach(() => {
    injectFaults(undefined);
    removeScratch(top);
  });

  it('keeps content, modes, times and links, and may be repeated', () => {
    const before = countDescriptors();
    drain(copying());
    expect(describeTree('destination')).toBe(describeTree('source'));
    expect(fs.readFileSync(at('destination/a/file'), 'utf8')).toBe('content');
    const inode = fs.statSync(at('destination/a/file')).ino;
    drain(copying());
    expect(describeTree('destination')).toBe(describeTree('source'));
    expect(fs.statSync(at('destination/a/file')).ino).toBe(inode);
    expect(countDescriptors()).toBe(before);
  });

  it('works for somebody whom permissions bind', () => {
    fs.chmodSync(at('source'), 0o755);
    fs.chmodSync(at('source/a/file'), 0o644);
    fs.chmodSync(at('source/a/b'), 0o755);
    asNobody(() => {
      drain(copying());
      drain(copying());
    });
    expect(describeTree('destination')).toBe(describeTree('source'));
  });

  it('leaves out special files, and names it was told to at the top', () => {
    execFileSync('mkfifo', [at('source/fifo')]);
    fs.mkdirSync(at('source/.upload'));
    fs.mkdirSync(at('source/keep/.upload'), { recursive: true });
    drain(copying({ omit: [Buffer.from('.upload')] }));
    expect(fs.readdirSync(at('destination')).toSorted()).toEqual(['a', 'keep']);
    expect(fs.readdirSync(at('destination/keep'))).toEqual(['.upload']);
  });

  it('does not hand on the power of a set-id bit', () => {
    if (process.geteuid!() !== 0) return;
    fs.chmodSync(at('source/a/empty'), 0o6755);
    fs.chownSync(at('source/a/empty'), 1234, 1234);
    fs.chmodSync(at('source/a/empty'), 0o6755);
    drain(copying());
    expect(fs.statSync(at('destination/a/empty')).mode & 0o7777).toBe(0o755);
  });

  it.each([
    ['in the kernel', ['ioctl']],
    ['through this process', ['ioctl', 'copy_file_range']],
  ])('keeps holes when it copies %s', (_, unsupported) => {
    injectFaults((syscall) => (unsupported.includes(syscall) ? Errno.EOPNOTSUPP : undefined));
    const sparse = fs.openSync(at('source/sparse'), 'w');
    fs.writeSync(sparse, 'start', 0);
    fs.writeSync(sparse, 'middle', 30 << 20);
    fs.ftruncateSync(sparse, 60 << 20);
    fs.closeSync(sparse);
    drain(copying());
    const [source, destination] = [at('source/sparse'), at('destination/sparse')];
    expect(fs.statSync(destination).blocks).toBeLessThanOrEqual(fs.statSync(source).blocks + 64);
    execFileSync('cmp', [source, destination]);
  });

  it('copies large files whole through this process', () => {
    injectFaults((syscall) =>
      ['ioctl', 'copy_file_range'].includes(syscall) ? Errno.EXDEV : undefined,
    );
    fs.writeFileSync(at('source/large'), Buffer.alloc(5_000_001, 'abcdefg'));
    drain(copying());
    execFileSync('cmp', [at('source/large'), at('destination/large')]);
  });

  it('completes a copy that was killed, whatever state its files are in', () => {
    fs.mkdirSync(at('destination/a'), { recursive: true });
    fs.writeFileSync(at('destination/a/file'), 'cont');
    fs.writeFileSync(at('destination/a/empty'), 'not empty');
    fs.symlinkSync('elsewhere', at('destination/a/link'));
    const leftover = `.storage-proxy-${'0'.repeat(32)}.partial`;
    fs.writeFileSync(at('destination/a', leftover), 'half');
    drain(copying());
    expect(describeTree('destination')).toBe(describeTree('source'));
    expect(fs.readFileSync(at('destination/a/file'), 'utf8')).toBe('content');
  });

  it.each([
    ['that it made, closed to others until it is finished', false],
    ['that was there, where a file gets its name when it is whole', true],
  ])('leaves nothing half-made in a directory %s', (_, wasThere) => {
    fs.rmSync(at('source/a'), { recursive: true });
    fs.writeFileSync(at('source/large'), Buffer.alloc(30 << 20, 1));
    if (wasThere) fs.mkdirSync(at('destination'));
    injectFaults((syscall) => (syscall === 'ioctl' ? Errno.EOPNOTSUPP : undefined));
    const walk = copying();
    for (let step = 0; step < 3; step++) walk.next();
    const meanwhile = fs.readdirSync(at('destination'));
    expect(meanwhile).toEqual([
      wasThere ? (expect.stringMatching(/^\.storage-proxy-.*\.partial$/) as unknown) : 'large',
    ]);
    if (!wasThere) expect(fs.statSync(at('destination')).mode & 0o777).toBe(0o700);
    walk.return(undefined);
    expect(fs.readdirSync(at('destination'))).toEqual([]);

    injectFaults((syscall) => (syscall === 'copy_file_range' ? Errno.ENOSPC : undefined));
    expect(() => drain(copying())).toThrow(/ENOSPC/);
    expect(fs.readdirSync(at('destination'))).toEqual([]);
  });

  it('leaves the file alone that another copy has put in the place of its half', () => {
    fs.writeFileSync(at('source/large'), Buffer.alloc(30 << 20, 1));
    fs.rmSync(at('source/a'), { recursive: true });
    injectFaults((syscall) => (syscall === 'ioctl' ? Errno.EOPNOTSUPP : undefined));
    const walk = copying();
    for (let step = 0; step < 3; step++) walk.next();
    expect(fs.readdirSync(at('destination'))).toEqual(['large']);
    fs.writeFileSync(at('whole'), 'whole');
    fs.renameSync(at('whole'), at('destination/large'));
    walk.return(undefined);
    expect(fs.readFileSync(at('destination/large'), 'utf8')).toBe('whole');
  });

  it('does not write through links that stand in the destination', () => {
    fs.mkdirSync(at('outside'));
    fs.writeFileSync(at('outside/file'), 'precious');
    fs.mkdirSync(at('destination'));
    fs.symlinkSync('../outside', at('destination/a'));
    expect(() => drain(copying())).toThrow(/ELOOP|ENOTDIR/);
    fs.unlinkSync(at('destination/a'));
    fs.mkdirSync(at('destination/a'));
    fs.symlinkSync('../../outside/file', at('destination/a/file'));
    drain(copying());
    expect(fs.readFileSync(at('outside/file'), 'utf8')).toBe('precious');
    expect(fs.lstatSync(at('destination/a/file')).isFile()).toBe(true);
  });

  it('refuses a directory in the place of a file or a link', () => {
    fs.mkdirSync(at('destination/a/file'), { recursive: true });
    expect(() => drain(copying())).toThrow('EISDIR');
    fs.rmdirSync(at('destination/a/file'));
    fs.rmSync(at('destination/a/link'), { force: true });
    fs.mkdirSync(at('destination/a/link'));
    expect(() => drain(copying())).toThrow('EISDIR');
    expect(fs.readdirSync(at('destination/a')).join()).not.toContain('.partial');
  });

  it('ends when the destination lies within the source', () => {
    const plan = {
      destinationParent: openDirectory(at('source')),
      destinationName: Buffer.from('inner'),
    };
    drain(copying(plan));
    expect(fs.readdirSync(at('source/inner')).toSorted()).toEqual(['a']);
  });

  it('says when the source may not be read, rather than leave it out', () => {
    fs.chmodSync(at('source/a/b'), 0);
    expect(() => asNobody(() => drain(copying()))).toThrow('EACCES');
  });

  it('copies 1,000 levels with few descriptors', () => {
    makeDeepTree(at('source'), 1000);
    const before = countDescriptors();
    let most = 0;
    drain(copying(), (step) => {
      if (step % 10 === 0) most = Math.max(most, countDescriptors());
    });
    expect(most - before).toBeLessThan(80);
    const depth = (name: string): number =>
      execFileSync('find', ['.', '-name', 'f', '-printf', '%d'], { cwd: at(name) }).length;
    expect(depth('destination')).toBe(depth('source'));
    expect(countDescriptors()).toBe(before);
  });
});
