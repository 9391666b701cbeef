import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { injectFaults } from '../../../native/ffi.js';
import { Errno } from '../../../native/errno.js';
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
import { remove } from './remove.js';

describe('remove', () => {
  let top: string;
  const at = (...parts: string[]): string => path.join(top, ...parts);
  const removal = (name = 'tree', keepDirectory = false): Walk<void> =>
    remove(openDirectory(top), Buffer.from(name), keepDirectory, new Pace());

  beforeEach(() => {
    top = makeScratch();
    fs.mkdirSync(at('tree'));
    fs.writeFileSync(at('bystander'), '');
  });
  afterEach(() => {
    injectFaults(undefined);
    removeScratch(top);
  });

  it('removes everything below and the directory itself, and may be repeated', () => {
    fs.mkdirSync(at('tree/a/b'), { recursive: true });
    fs.writeFileSync(Buffer.concat([Buffer.from(at('tree/a/')), Buffer.from([0xff, 0x0a])]), '');
    execFileSync('mkfifo', [at('tree/a/fifo')]);
    const before = countDescriptors();
    drain(removal());
    expect(fs.readdirSync(top)).toEqual(['bystander']);
    drain(removal());
    expect(countDescriptors()).toBe(before);
  });

  it('removes links and never what they lead to', () => {
    fs.mkdirSync(at('outside'));
    fs.writeFileSync(at('outside/precious'), '');
    fs.symlinkSync('../outside', at('tree/link'));
    fs.symlinkSync('outside', at('link'));
    drain(removal());
    drain(removal('link'));
    expect(fs.readdirSync(top).toSorted()).toEqual(['bystander', 'outside']);
    expect(fs.readdirSync(at('outside'))).toEqual(['precious']);
  });

  it('removes a file', () => {
    drain(removal('bystander'));
    expect(fs.readdirSync(top)).toEqual(['tree']);
  });

  it('keeps the emptied directory when asked to', () => {
    fs.mkdirSync(at('tree/a/b'), { recursive: true });
    drain(removal('tree', true));
    expect(fs.readdirSync(at('tree'))).toEqual([]);
    expect(() => drain(removal('bystander', true))).toThrow('ENOTDIR');
  });

  it('makes read-only directories writable on the way, but not one outside the tree', () => {
    asNobody(() => {
      fs.mkdirSync(at('mine/closed/sealed'), { recursive: true });
      fs.writeFileSync(at('mine/closed/sealed/file'), '');
      fs.chmodSync(at('mine/closed/sealed'), 0o555);
      fs.chmodSync(at('mine/closed'), 0);
      drain(removal('mine'));
      expect(fs.existsSync(at('mine'))).toBe(false);

      fs.mkdirSync(at('mine'));
      fs.writeFileSync(at('mine/file'), '');
      fs.chmodSync(at('mine'), 0o555);
      const walk = remove(openDirectory(at('mine')), Buffer.from('file'), false, new Pace());
      expect(() => drain(walk)).toThrow('EACCES');
    });
  });

  it('removes all it can and then reports what it could not', () => {
    for (const name of ['a', 'b', 'c']) {
      fs.mkdirSync(at('tree', name));
      fs.writeFileSync(at('tree', name, 'file'), '');
    }
    let calls = 0;
    injectFaults((syscall) => (syscall === 'unlinkat' && ++calls === 1 ? Errno.EBUSY : undefined));
    expect(() => drain(removal())).toThrow('EBUSY');
    expect(fs.readdirSync(at('tree'))).toHaveLength(1);
    injectFaults(undefined);
    drain(removal());
    expect(fs.existsSync(at('tree'))).toBe(false);
  });

  it.each([
    ['statx', 1, 'tree'],
    ['openat', 1, 'tree'],
    ['openat', 2, 'tree/a'],
    ['openat', 3, 'tree/a'],
    ['getdents64', 2, 'tree/a'],
    ['unlinkat', 1, 'tree/a'],
    ['unlinkat', 4, 'tree'],
  ])('takes ESTALE of %s %d in what others removed for gone', (failing, call, removed) => {
    fs.mkdirSync(at('tree/a/b'), { recursive: true });
    fs.writeFileSync(at('tree/a/b/file'), '');
    const walk = removal();
    let calls = 0;
    injectFaults((syscall) => {
      if (syscall !== failing || ++calls !== call) return undefined;
      fs.rmSync(at(removed), { recursive: true });
      return Errno.ESTALE;
    });
    drain(walk);
    expect(calls).toBeGreaterThanOrEqual(call);
    expect(fs.readdirSync(top)).toEqual(['bystander']);
  });

  it('fails with ESTALE when the whole filesystem is gone', () => {
    fs.mkdirSync(at('tree/a/b'), { recursive: true });
    let isGone = false;
    injectFaults((syscall) => {
      isGone ||= syscall === 'unlinkat';
      return isGone && syscall !== 'close' ? Errno.ESTALE : undefined;
    });
    expect(() => drain(removal())).toThrow('ESTALE');
  });

  it('stops at once when the volume fails', () => {
    for (let index = 0; index < 10; index++) fs.writeFileSync(at('tree', `f${index}`), '');
    let calls = 0;
    injectFaults((syscall) => (syscall === 'unlinkat' && ++calls > 3 ? Errno.EIO : undefined));
    expect(() => drain(removal())).toThrow('EIO');
    expect(fs.readdirSync(at('tree'))).toHaveLength(7);
  });

  it('goes through a directory again that gets entries while it is emptied', () => {
    for (let index = 0; index < 100; index++) fs.writeFileSync(at('tree', `f${index}`), '');
    drain(removal(), (step) => {
      if (step < 20 && fs.existsSync(at('tree'))) fs.writeFileSync(at('tree', `new${step}`), '');
    });
    expect(fs.existsSync(at('tree'))).toBe(false);
  });

  it('removes nothing of a directory that is moved out of the tree, and the rest', () => {
    makeDeepTree(at('tree'), 100);
    let isMoved = false;
    const from = at('tree', ...Array<string>(50).fill('d'));
    fs.mkdirSync(at('outside'));
    fs.writeFileSync(at('outside/precious'), '');
    drain(removal(), () => {
      if (isMoved) return;
      isMoved = true;
      fs.renameSync(from, at('outside/d'));
    });
    expect(fs.existsSync(at('tree'))).toBe(false);
    expect(fs.existsSync(at('outside/precious'))).toBe(true);
  });

  it('removes 10,000 levels with few descriptors', () => {
    makeDeepTree(at('tree'), 10_000);
    const before = countDescriptors();
    let most = 0;
    drain(removal(), (step) => {
      if (step % 50 === 0) most = Math.max(most, countDescriptors());
    });
    expect(fs.existsSync(at('tree'))).toBe(false);
    expect(most - before).toBeLessThan(40);
    expect(countDescriptors()).toBe(before);
  });
});
