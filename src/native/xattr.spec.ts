import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { calls, sync } from './calls.js';
import { Errno } from './errno.js';

const NAME = 'user.storage-proxy.test';

describe('extended attributes of an open file', () => {
  let file: string;
  let fd: number;

  beforeEach(() => {
    file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'xattr-')), 'file');
    fd = fs.openSync(file, 'w+');
  });
  afterEach(() => {
    fs.closeSync(fd);
    fs.rmSync(path.dirname(file), { recursive: true });
  });

  it.each([
    ['text', '12345'],
    ['nothing', ''],
    ['bytes with a NUL', Buffer.from([1, 0, 2])],
  ])('keeps %s, asynchronously and at once', async (_what, value) => {
    await calls.fsetxattr(fd, NAME, value);
    expect(await calls.fgetxattr(fd, NAME)).toEqual(Buffer.from(value));
    sync.fsetxattr(fd, NAME, value);
    expect(sync.fgetxattr(fd, NAME)).toEqual(Buffer.from(value));
  });

  it('says ENODATA for an attribute that is not there, or no longer', async () => {
    await calls.fsetxattr(fd, NAME, 'x');
    await calls.fremovexattr(fd, NAME);
    const absent = { errno: Errno.ENODATA };
    await expect(calls.fgetxattr(fd, NAME)).rejects.toMatchObject(absent);
    await expect(calls.fremovexattr(fd, NAME)).rejects.toMatchObject(absent);
    expect(() => sync.fremovexattr(fd, NAME)).toThrow('ENODATA');
  });

  it('refuses a name that C would cut short', () => {
    expect(() => sync.fsetxattr(fd, 'user.a\0b', 'x')).toThrow('EINVAL');
  });
});
