import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Errno, SystemError } from '../../native/errno.js';
import { lookAtMount, MountCheck, UnusableMount, type MountState } from './mount-check.js';

describe('MountCheck', () => {
  let top: string;

  beforeEach(() => {
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'mount-'));
  });
  afterEach(() => fs.rmSync(top, { recursive: true }));

  it('accepts a directory that can be used, and says whether it has the layout marker', async () => {
    const check = new MountCheck(lookAtMount);
    expect(await check.check('v', top)).toEqual({ hasLayoutMarker: false });
    fs.writeFileSync(path.join(top, 'version.txt'), '3');
    expect(await check.check('v', top)).toEqual({ hasLayoutMarker: true });
  });

  it('names the volume, what was found and the remedy', async () => {
    fs.writeFileSync(path.join(top, 'file'), '');
    const check = new MountCheck(lookAtMount);
    await expect(check.check('data', path.join(top, 'none'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/"data".*does not exist\. Mount/) as unknown,
      details: { subject: 'volume', volume: 'data' },
    });
    await expect(check.check('data', path.join(top, 'file'))).rejects.toThrow(/not a directory/);
  });

  it.each([
    [Errno.EACCES, /may not read, write and search/],
    [Errno.EROFS, /read-only\. Mount it read-write/],
    [Errno.ESTALE, /dead \(ESTALE\)\. Unmount it/],
    [Errno.EIO, /access of .* failed with EIO/],
  ])('explains errno %d', async (errno, text) => {
    const check = new MountCheck(() => Promise.reject(new SystemError(errno, 'access')));
    await expect(check.check('v', '/mnt')).rejects.toThrow(text);
  });

  it('takes the word of a look that knows better', async () => {
    const check = new MountCheck(() => Promise.reject(new UnusableMount('it is upside down')));
    await expect(check.check('v', '/mnt')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'Volume "v" cannot be used: it is upside down',
    });
  });

  it('gives up on a mount that hangs, and does not spend a second thread on it', async () => {
    let looks = 0;
    let answer: (state: MountState) => void = () => undefined;
    const check = new MountCheck<MountState>(() => {
      looks++;
      return new Promise((resolve) => (answer = resolve));
    }, 10);
    await expect(check.check('v', '/mnt')).rejects.toThrow(/did not answer/);
    await expect(check.check('v', '/mnt')).rejects.toThrow(/did not answer/);
    expect(looks).toBe(1);
    answer({ hasLayoutMarker: true });
    await new Promise((resolve) => setImmediate(resolve));
    const again = check.check('v', '/mnt');
    answer({ hasLayoutMarker: true });
    await again;
    expect(looks).toBe(2);
  });
});
