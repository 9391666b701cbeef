import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Errno } from '../../native/errno.js';
import { injectFaults } from '../../native/ffi.js';
import { failOnce, HELLO, UploadRig } from './testing/upload-rig.js';

let rig: UploadRig;

beforeEach(async () => {
  rig = await UploadRig.create();
});

afterEach(() => {
  injectFaults(undefined);
  rig.remove();
});

describe('completing across a border of quotas', () => {
  it('copies what no rename moves there, and leaves nothing else behind', async () => {
    mkdirSync(join(rig.path, 'dir'));
    const request = await rig.begin('dir/a', 5);
    // The first puts the record aside, the second is the move.
    failOnce('renameat2', Errno.EXDEV, 2);
    expect(await rig.send(request, HELLO)).toBe(5);
    expect(rig.read('dir/a')).toEqual(HELLO);
    expect(rig.names('dir')).toEqual(['a']);
    expect(rig.names('.upload')).toEqual([`${request.session}.done`]);
    expect(await rig.offset(request)).toBe(5);
  });

  it('begins the copy anew after a crash, over what was left of it', async () => {
    mkdirSync(join(rig.path, 'dir'));
    const request = await rig.begin('dir/a', 5);
    const left = join(rig.path, 'dir', `.uploading-${request.session}`);
    writeFileSync(left, 'hel');
    symlinkSync(`dir/.uploading-${request.session}`, `${rig.staging(request.session)}.copy`);
    failOnce('renameat2', Errno.EXDEV, 2);
    expect(await rig.send(request, HELLO)).toBe(5);
    expect(rig.read('dir/a')).toEqual(HELLO);
    expect(rig.names('dir')).toEqual(['a']);
    expect(rig.names('.upload')).toEqual([`${request.session}.done`]);
  });

  it('is finished once the copy is in place, although the record of the copy cannot be removed', async () => {
    mkdirSync(join(rig.path, 'dir'));
    const request = await rig.begin('dir/a', 5);
    let renames = 0;
    let isPlaced = false;
    injectFaults((name) => {
      if (name === 'renameat2' && ++renames === 2) return Errno.EXDEV;
      isPlaced ||= renames === 3;
      // The first removes the staging file, the next one the record.
      const isRecord = name === 'unlinkat' && isPlaced && !existsSync(rig.staging(request.session));
      return isRecord ? Errno.EIO : undefined;
    });
    expect(await rig.send(request, HELLO)).toBe(5);
    injectFaults(undefined);
    expect(rig.names('.upload')).toContain(`${request.session}.copy`);
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('dir/a')).toEqual(HELLO);
  });

  it('keeps the upload while something else stands where the record of the copy belongs', async () => {
    mkdirSync(join(rig.path, 'dir'));
    const request = await rig.begin('dir/a', 5);
    const record = `${rig.staging(request.session)}.copy`;
    mkdirSync(record);
    failOnce('renameat2', Errno.EXDEV, 2);
    await expect(rig.send(request, HELLO)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(rig.names('dir')).toEqual([]);
    rmSync(record, { recursive: true });
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('dir/a')).toEqual(HELLO);
  });

  it('keeps the record of a copy that cannot be removed, and reports what went wrong first', async () => {
    mkdirSync(join(rig.path, 'dir'));
    const request = await rig.begin('dir/a', 5);
    let renames = 0;
    injectFaults((name) => {
      if (name === 'renameat2' && ++renames === 2) return Errno.EXDEV;
      if (renames < 2) return undefined;
      if (name === 'unlinkat' && rig.names('dir').length > 0) return Errno.EIO;
      return name === 'writev' ? Errno.EDQUOT : undefined;
    });
    await expect(rig.send(request, HELLO)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(rig.names('.upload')).toContain(`${request.session}.copy`);
  });

  it('keeps the upload when there is no room for the copy', async () => {
    mkdirSync(join(rig.path, 'dir'));
    const request = await rig.begin('dir/a', 5);
    let renames = 0;
    injectFaults((name) => {
      if (name === 'renameat2' && ++renames === 2) return Errno.EXDEV;
      return name === 'writev' && renames >= 2 ? Errno.EDQUOT : undefined;
    });
    await expect(rig.send(request, HELLO)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(rig.names('dir')).toEqual([]);
    injectFaults(undefined);
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('dir/a')).toEqual(HELLO);
  });
});
