import {
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Errno } from '../../native/errno.js';
import { injectFaults } from '../../native/ffi.js';
import { StreamBody } from './stream-body.js';
import {
  BOTH,
  failOnce,
  HELLO,
  SETTINGS,
  UNSCOPED,
  UploadRig,
  WORLD,
} from './testing/upload-rig.js';

let rig: UploadRig;

beforeEach(async () => {
  rig = await UploadRig.create();
});

afterEach(() => {
  injectFaults(undefined);
  rig.remove();
});

describe('Uploads.create', () => {
  it('makes the staging file where every generation looks for it, with the modes of the protocol', async () => {
    const { session } = await rig.begin('a', 5);
    expect(session).toMatch(/^[0-9a-f]{32}$/);
    expect(lstatSync(rig.staging(session)).size).toBe(0);
    const umask = process.umask();
    expect(statSync(rig.staging(session)).mode & 0o777).toBe(0o666 & ~umask);
    expect(statSync(join(rig.path, '.upload')).mode & 0o777).toBe(0o777 & ~umask);
  });

  it('refuses a size over the limit (S10)', async () => {
    await expect(rig.begin('a', SETTINGS.maxUploadSizeBytes + 1)).rejects.toMatchObject({
      code: 'TOO_LARGE',
      details: { subject: 'upload' },
    });
    expect(rig.names()).toEqual([]);
  });

  it('says that the vfolder is missing (U7)', async () => {
    rmSync(rig.path, { recursive: true });
    await expect(rig.begin('a', 1)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { subject: 'vfolder' },
    });
  });

  it('refuses targets that lead out through a link (S1)', async () => {
    symlinkSync('/tmp', join(rig.path, 'out'));
    await expect(rig.begin('out/a', 1)).rejects.toMatchObject({ code: 'OUTSIDE_VFOLDER' });
    expect(rig.names('.upload')).toEqual([]);
  });

  it.each([
    ['the vfolder itself', '.', 'IS_A_DIRECTORY'],
    ['a directory', 'dir', 'IS_A_DIRECTORY'],
    ['something below a file', 'file/a', 'NOT_A_DIRECTORY'],
    ['the staging directory', '.upload', 'INVALID_ARGUMENT'],
    ['something in the staging directory', '.upload/a', 'INVALID_ARGUMENT'],
  ])('refuses %s as a target', async (_what, path, code) => {
    mkdirSync(join(rig.path, 'dir'));
    writeFileSync(join(rig.path, 'file'), '');
    await expect(rig.begin(path, 1)).rejects.toMatchObject({ code });
  });

  it('puts an empty file in place at once (U4)', async () => {
    const request = await rig.begin('empty', 0);
    expect(rig.read('empty')).toHaveLength(0);
    expect(await rig.offset(request)).toBe(0);
    expect(await rig.send(request)).toBe(0);
  });

  it('leaves an existing file alone until an empty upload is really made', async () => {
    writeFileSync(join(rig.path, 'a'), 'precious');
    const request = await rig.begin('a', 0);
    expect(rig.read('a').toString()).toBe('precious');
    await rig.offset(request);
    expect(rig.read('a')).toHaveLength(0);
  });

  it('makes an empty file whose directory is missing with the first request (U4)', async () => {
    const request = await rig.begin('new/dir/empty', 0);
    expect(rig.names()).toEqual(['.upload']);
    await rig.offset(request);
    expect(rig.read('new/dir/empty')).toHaveLength(0);
  });

  it('leaves nothing behind when the volume is full', async () => {
    failOnce('openat2', Errno.EDQUOT, 6);
    await expect(rig.begin('a', 1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(rig.names('.upload')).toEqual([]);
  });
});

describe('an upload', () => {
  it('is put in place when its last byte has come, with its directories', async () => {
    const request = await rig.begin('in/deep/a', BOTH);
    expect(await rig.send(request, HELLO)).toBe(5);
    expect(rig.names()).toEqual(['.upload']);
    expect(await rig.send(request, WORLD)).toBe(BOTH);
    expect(rig.read('in/deep/a').toString()).toBe('hello, world');
    expect(rig.names('.upload')).toEqual([`${request.session}.done`]);
  });

  it('is on stable storage, bytes first and names after, before it is acknowledged (U6)', async () => {
    const request = await rig.begin('a', 5);
    const interesting = new Set(['writev', 'fdatasync', 'fsync', 'renameat2']);
    const calls: string[] = [];
    injectFaults((name) => {
      if (interesting.has(name)) calls.push(name);
      return undefined;
    });
    await rig.send(request, HELLO);
    const bytes = ['writev', 'fdatasync'];
    const marker = ['renameat2', 'fsync'];
    const place = ['renameat2', 'fsync', 'fsync'];
    expect(calls).toEqual([...bytes, ...marker, ...place]);
  });

  it('takes no write beside its bytes when they come all at once', async () => {
    const calls: string[] = [];
    injectFaults((name) => {
      if (['writev', 'ftruncate'].includes(name)) calls.push(name);
      return undefined;
    });
    await rig.send(await rig.begin('a', 5), HELLO);
    expect(calls).toEqual(['writev']);
    expect(rig.read('a')).toEqual(HELLO);
  });

  it('has its bytes on stable storage before a durable record says so (U6)', async () => {
    const request = await rig.begin('a', BOTH);
    const calls: string[] = [];
    injectFaults((name) => {
      const isDurable = name === 'writev' && (openFlagsOf('.offset') & constants.O_DSYNC) !== 0;
      if (isDurable && calls.length !== 1) calls.push('writev, synced');
      else if (['writev', 'fdatasync', 'fsync'].includes(name)) calls.push(name);
      return undefined;
    });
    await rig.send(request, HELLO);
    expect(calls).toEqual(['writev, synced', 'writev', 'fdatasync', 'writev, synced']);
  });

  it('replaces an existing file, and a link rather than what it leads to', async () => {
    writeFileSync(join(rig.path, 'target'), 'kept');
    symlinkSync('target', join(rig.path, 'a'));
    await rig.send(await rig.begin('a', 5), HELLO);
    expect(lstatSync(join(rig.path, 'a')).isFile()).toBe(true);
    expect(rig.read('target').toString()).toBe('kept');
  });

  it('goes on answering after completion: full offset, empty body accepted, more refused', async () => {
    const request = await rig.begin('a', 5);
    await rig.send(request, HELLO);
    expect(await rig.offset(request)).toBe(5);
    expect(await rig.send(request)).toBe(5);
    await expect(rig.send(request, Buffer.from('x'))).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(rig.read('a')).toEqual(HELLO);
  });

  it('refuses surplus bytes and keeps nothing of that body (S10)', async () => {
    const request = await rig.begin('a', 8);
    await rig.send(request, HELLO);
    await expect(rig.send(request, WORLD)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(await rig.offset(request)).toBe(5);
    await rig.send(request, Buffer.from('abc'));
    expect(rig.read('a').toString()).toBe('helloabc');
  });

  it('keeps what arrived of a body that broke off (U3)', async () => {
    const request = await rig.begin('a', BOTH);
    const body = new PassThrough();
    body.write(HELLO);
    setTimeout(() => body.destroy(), 20);
    expect(await rig.with(request, (upload) => upload.receive(new StreamBody(body)))).toBe(5);
    expect(await rig.offset(request)).toBe(5);
    await rig.send(request, WORLD);
    expect(rig.read('a').toString()).toBe('hello, world');
  });

  it('gives up a body that stands still and keeps what arrived', async () => {
    const settings = { ...SETTINGS, uploads: { ...SETTINGS.uploads, idleTimeoutMs: 500 } };
    const { uploads } = rig.worker(settings);
    const request = await rig.begin('a', BOTH);
    const body = new PassThrough();
    body.write(HELLO);
    const upload = await uploads.open(request);
    expect(await upload.receive(new StreamBody(body))).toBe(5);
    expect(body.destroyed).toBe(true);
    await upload.close();
  });

  it('carries large bodies unchanged', async () => {
    const chunks = Array.from({ length: 300 }, (_, at) => Buffer.alloc(60_001, at));
    const request = await rig.begin('big', 300 * 60_001);
    await rig.send(request, ...chunks);
    expect(rig.read('big').equals(Buffer.concat(chunks))).toBe(true);
  });

  it.each(['missing', 'not-hex', '', '../../etc/passwd'])(
    'does not know session %p',
    async (session) => {
      const request = { ...(await rig.begin('a', 5)), session };
      await expect(rig.offset(request)).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { subject: 'upload' },
      });
    },
  );

  it('needs the parent directory under an unscoped id, and completes once it is there', async () => {
    rig.remove();
    rig = await UploadRig.create(UNSCOPED);
    const request = await rig.begin('dir/a', 5);
    await expect(rig.send(request, HELLO)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    mkdirSync(join(rig.path, 'dir'));
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('dir/a')).toEqual(HELLO);
  });

  it('says so when a directory has taken its name, and completes once it is gone', async () => {
    const request = await rig.begin('a', 5);
    mkdirSync(join(rig.path, 'a'));
    await expect(rig.send(request, HELLO)).rejects.toMatchObject({ code: 'IS_A_DIRECTORY' });
    rmSync(join(rig.path, 'a'), { recursive: true });
    expect(await rig.send(request)).toBe(5);
    expect(rig.read('a')).toEqual(HELLO);
  });
});

/** Flags that this process has a file open with whose name ends in `suffix` (proc_pid_fdinfo(5)). */
function openFlagsOf(suffix: string): number {
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).endsWith(suffix)) continue;
      return Number.parseInt(
        /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!,
        8,
      );
    } catch {
      // Closed between the listing and the look.
    }
  }
  return 0;
}
