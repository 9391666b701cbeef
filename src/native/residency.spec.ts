import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { injectFaults } from './ffi.js';
import { isResident } from './residency.js';

const PAGE = 4096;
const ENOSYS = 38;
const EPERM = 1;

describe('isResident', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'residency-'));
  const opened: number[] = [];

  const file = (content: Buffer | number): number => {
    const fd = fs.openSync(path.join(directory, `file-${opened.length}`), 'w+');
    opened.push(fd);
    if (typeof content === 'number') fs.ftruncateSync(fd, content);
    else fs.writeSync(fd, content);
    return fd;
  };

  afterAll(() => {
    for (const fd of opened) fs.closeSync(fd);
    fs.rmSync(directory, { recursive: true });
  });

  /** Kernels before 6.5 cannot tell, and say no; so do seccomp filters that are older than that. */
  const [major = 0, minor = 0] = os.release().split('.').map(Number);
  const isFiltered = !fs.readFileSync('/proc/self/status', 'latin1').includes('\nSeccomp:\t0\n');
  const canTell = isFiltered
    ? isResident(file(Buffer.alloc(PAGE, 1)), 0, PAGE)
    : major > 6 || (major === 6 && minor >= 5);

  it.each([
    ['all of it', 0, 10 * PAGE + 7],
    ['pages', PAGE, 3 * PAGE],
    ['what begins and ends within pages', 100, 2 * PAGE],
    ['the last byte', 10 * PAGE + 6, 1],
  ])('says yes of what was just written: %s', (_, position, length) => {
    const fd = file(Buffer.alloc(10 * PAGE + 7, 1));
    expect(isResident(fd, position, length)).toBe(canTell);
  });

  it.each([
    ['a hole that nobody has read', 1024 * PAGE, 0, 1024 * PAGE],
    ['what is past the end', 0, 0, PAGE],
    ['nothing', PAGE, 0, 0],
  ])('says no of %s', (_, size, position, length) => {
    expect(isResident(file(size), position, length)).toBe(false);
  });

  it('says no when the range goes on past what is there', () => {
    const fd = file(Buffer.alloc(2 * PAGE, 1));
    expect(isResident(fd, 0, 2 * PAGE + 1)).toBe(false);
    fs.ftruncateSync(fd, 100);
    expect(isResident(fd, 0, 2 * PAGE)).toBe(false);
  });

  it('asks again where it was not allowed to know, and never again where nobody knows', () => {
    const fd = file(Buffer.alloc(PAGE, 1));
    let errno = EPERM;
    let asked = 0;
    injectFaults((syscall) => {
      if (syscall !== 'cachestat') return undefined;
      asked++;
      return errno;
    });
    try {
      expect(isResident(fd, 0, PAGE)).toBe(false);
      errno = ENOSYS;
      expect(isResident(fd, 0, PAGE)).toBe(false);
      expect(isResident(fd, 0, PAGE)).toBe(false);
    } finally {
      injectFaults(undefined);
    }
    // The last test of this file: from now on this copy of the module says no.
    expect(asked).toBeLessThanOrEqual(2);
    if (canTell) expect(asked).toBe(2);
  });
});
