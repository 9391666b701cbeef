import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sync } from '../../../native/calls.js';
import { LOCK_EX } from '../../../native/constants.js';
import { HostLock, openPrivateLock } from './exclusive.js';

describe('HostLock', () => {
  let top: string;
  beforeEach(() => {
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'lock-'));
  });
  afterEach(() => fs.rmSync(top, { recursive: true, force: true }));
  const directory = (): string => path.join(top, 'locks');
  const open = (): Promise<number> => openPrivateLock(directory(), 'a.lock');

  it('runs one piece of work after the other, also beside another lock of the same file', async () => {
    const locks = [new HostLock('a', open), new HostLock('a', open)];
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const work = (number: number) => async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      if (number % 2 === 0) order.push(number);
      running -= 1;
    };
    await Promise.all(Array.from({ length: 10 }, (_, i) => locks[i % 2]!.run(work(i))));
    expect(most).toBe(1);
    expect(order).toEqual([0, 2, 4, 6, 8]);
  });

  it('goes on after work that fails', async () => {
    const lock = new HostLock('a', open);
    await expect(lock.run(() => Promise.reject(new Error('odd')))).rejects.toThrow('odd');
    await expect(lock.run(async () => 'done')).resolves.toBe('done');
  });

  it('makes nobody wait for its turn to wait in vain', async () => {
    const holder = await open();
    try {
      expect(sync.flock(holder, LOCK_EX)).toBe(true);
      let openings = 0;
      const lock = new HostLock('a', () => (openings++, open()), 50);
      const waiting = Array.from({ length: 5 }, () => lock.run(async () => undefined));
      for (const each of waiting) await expect(each).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(openings).toBe(1);
    } finally {
      fs.closeSync(holder);
    }
  });

  it('takes no more to wait than can come to their turn', async () => {
    const lock = new HostLock('a', open);
    // None of them has its turn before this test waits.
    const taken = Array.from({ length: 256 }, () => lock.run(async () => undefined));
    await expect(lock.run(async () => undefined)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await Promise.all(taken);
    await lock.run(async () => undefined);
  });

  it('is made where nobody else can open it', async () => {
    fs.closeSync(await open());
    expect(fs.statSync(directory()).mode & 0o777).toBe(0o700);
    expect(fs.statSync(path.join(directory(), 'a.lock')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['a directory that others may write to', () => fs.mkdirSync(directory())],
    ['a link in place of the directory', () => fs.symlinkSync(top, directory())],
    [
      'a directory in place of the lock',
      () => fs.mkdirSync(path.join(directory(), 'a.lock'), { recursive: true }),
    ],
    ['no place for it', () => fs.writeFileSync(directory(), '')],
  ])('refuses %s, saying what to do', async (what, prepare) => {
    prepare();
    if (what.includes('others')) fs.chmodSync(directory(), 0o777);
    await expect(open()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(directory()) as string,
    });
  });
});
