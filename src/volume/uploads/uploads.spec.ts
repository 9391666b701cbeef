import {
  appendFileSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { StatsFs } from 'node:fs';
import fsPromises from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Errno } from '../../native/errno.js';
import { injectFaults } from '../../native/ffi.js';
import { RelPath } from '../ids/relpath.js';
import type { OpenUpload } from './open-upload.js';
import { SETTINGS, UNSCOPED, UploadRig } from './testing/upload-rig.js';

const HELLO = Buffer.from('hello');
const WORLD = Buffer.from(', world');
const BOTH = HELLO.length + WORLD.length;

let rig: UploadRig;

beforeEach(async () => {
  rig = await UploadRig.create();
});

afterEach(() => {
  injectFaults(undefined);
  rig.remove();
});

/** Fails the nth call of a system call from now on, once. */
function failOnce(syscall: string, errno: number, nth = 1): void {
  let seen = 0;
  injectFaults((name) => (name === syscall && ++seen === nth ? errno : undefined));
}

/** What a promise fails with; taken at once, so that the failure may come at any time. */
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

async function receiveAndClose(upload: OpenUpload, body: Readable): Promise<number> {
  try {
    return await upload.receive(body);
  } finally {
    await upload.close();
  }
}

const staging = (session: string): string => join(rig.path, '.upload', session);

describe('Uploads.create', () => {
  it('makes the staging file where every generation looks for it, with the modes of the protocol', async () => {
    const { session } = await rig.begin('a', 5);
    expect(session).toMatch(/^[0-9a-f]{32}$/);
    expect(lstatSync(staging(session)).size).toBe(0);
    const umask = process.umask();
    expect(statSync(staging(session)).mode & 0o777).toBe(0o666 & ~umask);
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

  it('has its bytes on stable storage before a durable record says so (U6)', async () => {
    const request = await rig.begin('a', BOTH);
    const calls: string[] = [];
    injectFaults((name) => {
      const isDurable = name === 'writev' && (openFlagsOf('.offset') & constants.O_DSYNC) !== 0;
      if (isDurable && calls.length === 2) calls.push('writev, synced');
      else if (['writev', 'fdatasync', 'fsync'].includes(name)) calls.push(name);
      return undefined;
    });
    await rig.send(request, HELLO);
    expect(calls).toEqual(['writev', 'fdatasync', 'writev, synced']);
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
    expect(await rig.with(request, (upload) => upload.receive(body))).toBe(5);
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
    expect(await upload.receive(body)).toBe(5);
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
    symlinkSync(`dir/.uploading-${request.session}`, `${staging(request.session)}.copy`);
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
      const isRecord = name === 'unlinkat' && isPlaced && !existsSync(staging(request.session));
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
    const record = `${staging(request.session)}.copy`;
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

describe('what a tenant may do to a running upload', () => {
  it('a link planted on the way to the target leads nowhere (S1, S2)', async () => {
    const outside = join(rig.volumePath, 'outside');
    mkdirSync(outside);
    const request = await rig.begin('dir/a', 5);
    symlinkSync(outside, join(rig.path, 'dir'));
    await expect(rig.send(request, HELLO)).rejects.toMatchObject({ code: 'OUTSIDE_VFOLDER' });
    expect(existsSync(join(outside, 'a'))).toBe(false);
  });

  it('a link to the vfolder itself does not lead among the staging files', async () => {
    symlinkSync('.', join(rig.path, 'self'));
    const target = RelPath.parse('self/.upload/a');
    const refused = { code: 'INVALID_ARGUMENT', details: { subject: 'entry' } };
    for (const size of [0, 5]) {
      await expect(rig.begin(target.toString(), size)).rejects.toMatchObject(refused);
    }
    expect(rig.names()).toEqual(['.upload', 'self']);
    const request = { ...(await rig.begin('a', 5)), target };
    await expect(rig.send(request, HELLO)).rejects.toMatchObject(refused);
    expect(await rig.offset({ ...request, target: RelPath.parse('self/a') })).toBe(5);
    expect(rig.read('a')).toEqual(HELLO);
  });

  it.each([
    ['a link', (path: string) => symlinkSync('/etc/passwd', path)],
    ['a directory', (path: string) => mkdirSync(path)],
    [
      'a file with a second name',
      (path: string) => {
        writeFileSync(`${path}x`, 'x');
        linkSync(`${path}x`, path);
      },
    ],
  ])('%s in place of the staging file is no upload', async (_what, plant) => {
    const request = await rig.begin('a', 5);
    unlinkSync(staging(request.session));
    plant(staging(request.session));
    await expect(rig.offset(request)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('bytes added to the staging file beyond the declared size do not become part of the file', async () => {
    const request = await rig.begin('a', 5);
    appendFileSync(staging(request.session), 'hello and more');
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('a')).toEqual(HELLO);
  });

  it('a vfolder that was deleted and made again does not get the old upload', async () => {
    const request = await rig.begin('a', BOTH);
    const body = new PassThrough();
    body.write(HELLO);
    const upload = await rig.uploads.open(request);
    const receiving = upload.receive(body);
    renameSync(rig.path, join(rig.volumePath, 'trash'));
    mkdirSync(rig.path);
    body.end(WORLD);
    await expect(receiving).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { subject: 'upload' },
    });
    await upload.close();
    expect(rig.names()).toEqual([]);
  });
});

describe('two requests for one upload', () => {
  it('the second waits until the first is done', async () => {
    const request = await rig.begin('a', BOTH);
    const first = await rig.uploads.open(request);
    const second = rig.offset(request);
    await first.receive(Readable.from([HELLO]));
    await first.close();
    expect(await second).toBe(5);
  });

  it('a holder whose client is silent lets go when asked, also in another worker (U11)', async () => {
    const request = await rig.begin('a', BOTH);
    const body = new PassThrough();
    body.write(HELLO);
    const { uploads } = rig.worker();
    const holder = await uploads.open(request);
    const failure = failureOf(receiveAndClose(holder, body));
    expect(await rig.offset(request)).toBe(5);
    expect(await failure).toMatchObject({ code: 'LOCKED', details: { reason: 'lease-lost' } });
  });

  it('a holder whose client is sending may finish', async () => {
    const request = await rig.begin('a', BOTH);
    const body = new PassThrough();
    body.write(HELLO);
    const holder = await rig.uploads.open(request);
    const receiving = receiveAndClose(holder, body);
    const waiting = rig.offset(request);
    await sleep(300);
    body.end(WORLD);
    expect(await receiving).toBe(BOTH);
    expect(await waiting).toBe(BOTH);
  });

  it('is refused with LOCKED when the holder does not let go in time', async () => {
    const request = await rig.begin('a', BOTH);
    const settings = { ...SETTINGS, uploads: { ...SETTINGS.uploads, lockWaitMs: 300 } };
    const holder = await rig.uploads.open(request);
    await expect(rig.worker(settings).uploads.open(request)).rejects.toMatchObject({
      code: 'LOCKED',
      details: { reason: 'lease-held' },
    });
    await holder.close();
  });

  it('stops waiting when its own client goes away', async () => {
    const request = await rig.begin('a', BOTH);
    const holder = await rig.uploads.open(request);
    await expect(rig.uploads.open(request, AbortSignal.timeout(100))).rejects.toThrow(/abort/i);
    await holder.close();
  });

  it('waits for a volume that is away for a moment (X6)', async () => {
    const request = await rig.begin('a', 5);
    const { state } = rig.volume;
    rig.volume.become({ kind: 'unavailable', reason: 'remounting' } as never);
    setTimeout(() => rig.volume.become(state), 200);
    expect(await rig.send(request, HELLO)).toBe(5);
  });
});

describe('when things fail', () => {
  it('a failed sync is final: the upload goes back to its last durable offset', async () => {
    const request = await rig.begin('a', BOTH);
    await rig.send(request, HELLO);
    const upload = await rig.uploads.open(request);
    failOnce('fdatasync', Errno.EIO);
    await expect(upload.receive(Readable.from([Buffer.from(', wor')]))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await upload.close();
    expect(statSync(staging(request.session)).size).toBe(5);
    expect(await rig.offset(request)).toBe(5);
  });

  it.each([
    ['ENOSPC', Errno.ENOSPC, 'NO_SPACE'],
    ['EDQUOT', Errno.EDQUOT, 'QUOTA_EXCEEDED'],
  ])('%s while writing keeps what fitted', async (_name, errno, code) => {
    const MiB = 1024 * 1024;
    const request = await rig.begin('a', 4 * MiB);
    const upload = await rig.uploads.open(request);
    failOnce('writev', errno, 3);
    const chunks = Array.from({ length: 4 }, (_, at) => Buffer.alloc(MiB, at));
    const body = new PassThrough({ highWaterMark: 0 });
    const failure = failureOf(receiveAndClose(upload, body));
    for (const chunk of chunks) {
      body.write(chunk);
      await sleep(20);
    }
    expect(await failure).toMatchObject({ code, details: { subject: 'entry' } });
    expect(await rig.offset(request)).toBe(2 * MiB);
    await rig.send(request, ...chunks.slice(2));
    expect(rig.read('a').equals(Buffer.concat(chunks))).toBe(true);
  });

  it.each([1, 2])(
    'a crash at rename %i of the completion is made good by the next request (U2)',
    async (nth) => {
      const request = await rig.begin('dir/a', 5);
      failOnce('renameat2', Errno.EIO, nth);
      await expect(rig.send(request, HELLO)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      injectFaults(undefined);
      expect(await rig.offset(request)).toBe(5);
      expect(rig.read('dir/a')).toEqual(HELLO);
    },
  );

  it.each([
    ['of the directory that has it now', 2],
    ['of the directory it came from', 3],
  ])('a failed sync %s does not lose a file that is in place', async (_, nth) => {
    mkdirSync(join(rig.path, 'dir'));
    const request = await rig.begin('dir/a', 5);
    failOnce('fsync', Errno.EIO, nth);
    await expect(rig.send(request, HELLO)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    injectFaults(undefined);
    expect(rig.read('dir/a')).toEqual(HELLO);
    const synced: string[] = [];
    injectFaults((name) => {
      synced.push(name);
      return undefined;
    });
    expect(await rig.offset(request)).toBe(5);
    // Only now is it certain that the file stays there.
    expect(synced).toContain('fsync');
  });

  it('a crash between the marker and the move is made good by the next request (U2)', async () => {
    const request = await rig.begin('a', 5);
    appendFileSync(staging(request.session), HELLO);
    renameSync(`${staging(request.session)}.offset`, `${staging(request.session)}.done`);
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('a')).toEqual(HELLO);
    expect(await rig.offset(request)).toBe(5);
  });

  it('a second crash, before the record is written anew, costs nothing either', async () => {
    const request = await rig.begin('a', 5);
    appendFileSync(staging(request.session), HELLO);
    renameSync(`${staging(request.session)}.offset`, `${staging(request.session)}.done`);
    writeFileSync(`${staging(request.session)}.offset`, '');
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('a')).toEqual(HELLO);
  });

  it('a killed writer costs nothing: the page cache has its bytes, and HEAD syncs them first', async () => {
    const request = await rig.begin('a', BOTH);
    appendFileSync(staging(request.session), HELLO);
    const calls: string[] = [];
    injectFaults((name) => void calls.push(name));
    expect(await rig.offset(request)).toBe(5);
    expect(calls).toContain('fdatasync');
    calls.length = 0;
    expect(await rig.offset(request)).toBe(5);
    expect(calls).not.toContain('fdatasync');
  });

  it('after a power failure only what was synced counts, whatever the size says', async () => {
    const request = await rig.begin('a', BOTH);
    await rig.send(request, HELLO);
    appendFileSync(staging(request.session), Buffer.alloc(4));
    const record = `${staging(request.session)}.offset`;
    const text = readFileSync(record, 'latin1');
    expect(text).toMatch(/^0000000000000005 [0-9a-f-]{36}\n$/);
    writeFileSync(record, text.replace(/[0-9a-f]{12}\n$/, '0123456789ab\n'));
    expect(await rig.offset(request)).toBe(5);
    await rig.send(request, WORLD);
    expect(rig.read('a').toString()).toBe('hello, world');
  });

  it('where unsynced bytes go with the client that has them only what was synced counts', async () => {
    const request = await rig.begin('a', BOTH);
    await rig.send(request, HELLO);
    // As an evicted client of CephFS leaves it: the size is there, the bytes are not.
    appendFileSync(staging(request.session), Buffer.alloc(4));
    const onCeph = { type: 0x00c36400 } as StatsFs;
    const asked = jest.spyOn(fsPromises, 'statfs').mockResolvedValue(onCeph);
    expect(await rig.offset(request)).toBe(5);
    expect(lstatSync(staging(request.session)).size).toBe(5);
    asked.mockRestore();
    await rig.send(request, WORLD);
    expect(rig.read('a').toString()).toBe('hello, world');
  });

  it('takes over an upload that other software began', async () => {
    const session = '0a1b2c3d4e5f60718293a4b5c6d7e8f9';
    mkdirSync(join(rig.path, '.upload'));
    writeFileSync(staging(session), HELLO);
    const request = { ref: rig.ref, session, sizeBytes: BOTH, target: RelPath.parse('a') };
    expect(await rig.offset(request)).toBe(5);
    expect(await rig.send(request, WORLD)).toBe(BOTH);
    expect(rig.read('a').toString()).toBe('hello, world');
  });
});

describe('sweeping', () => {
  const old = { ...SETTINGS, tokenLifetimeMs: -60_000 };
  const allOld = {
    ...old,
    uploads: { ...SETTINGS.uploads, stagingMaxAgeMs: -60_000, finishedRetentionMs: -60_000 },
  };

  it('removes abandoned uploads and old markers, and the directory with them (S11, U9)', async () => {
    await rig.begin('a', 5);
    await rig.send(await rig.begin('b', 5), HELLO);
    expect(rig.names('.upload')).toHaveLength(3);
    expect(await rig.worker(allOld).sweeper.sweep(rig.ref)).toBe(2);
    expect(rig.names()).toEqual(['b']);
  });

  it('keeps what is young, what is held and what is not ours', async () => {
    const held = await rig.begin('a', 5);
    const upload = await rig.uploads.open(held);
    writeFileSync(join(rig.path, '.upload', 'notes.txt'), '');
    expect(await rig.sweeper.sweep(rig.ref)).toBe(0);
    expect(await rig.worker(allOld).sweeper.sweep(rig.ref)).toBe(0);
    expect(rig.names('.upload')).toEqual([held.session, `${held.session}.offset`, 'notes.txt']);
    await upload.close();
  });

  it('removes what is left of copies across a border, and nothing that a tenant calls one', async () => {
    const id = 'c'.repeat(32);
    const left = ['dir/.moving-', 'dir/.uploading-'].map((name) => `${name}${id}`);
    mkdirSync(join(rig.path, left[0]!, 'sub'), { recursive: true });
    writeFileSync(join(rig.path, left[1]!), 'half');
    writeFileSync(join(rig.path, 'dir/precious'), 'precious');
    mkdirSync(join(rig.path, '.upload'));
    const record = (name: string, target: string): void =>
      symlinkSync(target, join(rig.path, '.upload', `${name}.copy`));
    record(id, left[0]!);
    record('d'.repeat(32), 'dir/precious');
    record('e'.repeat(32), `../dir/.moving-${'e'.repeat(32)}`);
    record('f'.repeat(32), left[1]!);
    expect(await rig.sweeper.sweep(rig.ref)).toBe(0);
    expect(await rig.worker(allOld).sweeper.sweep(rig.ref)).toBe(4);
    expect(rig.names('dir')).toEqual([`.uploading-${id}`, 'precious']);
    expect(rig.names()).toEqual(['dir']);
    mkdirSync(join(rig.path, '.upload'));
    record(id, left[1]!);
    expect(await rig.worker(allOld).sweeper.sweep(rig.ref)).toBe(1);
    expect(rig.names('dir')).toEqual(['precious']);
  });

  it('has nothing to do where nothing was uploaded', async () => {
    expect(await rig.sweeper.sweep(rig.ref)).toBe(0);
    rmSync(rig.path, { recursive: true });
    expect(await rig.sweeper.sweep(rig.ref)).toBe(0);
  });

  it('is kept from no vfolder by what the tenants of others have put in the way', async () => {
    const hex = 'c'.repeat(32);
    const obstacles: ((upload: string) => void)[] = [
      (upload) => symlinkSync('/', upload),
      (upload) => symlinkSync('.upload', upload),
      (upload) => mkdirSync(join(upload, `${hex}.offset`), { recursive: true }),
      (upload) => mkdirSync(join(upload, `${hex}.copy`), { recursive: true }),
      (upload) => mkdirSync(join(upload, hex), { recursive: true }),
      (upload) => {
        mkdirSync(upload);
        symlinkSync(`${'x'.repeat(300)}/.moving-${hex}`, join(upload, `${hex}.copy`));
      },
    ];
    const scope = join(rig.path, '../../..');
    obstacles.forEach((obstruct, n) => {
      const vfolder = join(scope, '00', `0${n}`, '0'.repeat(28));
      mkdirSync(vfolder, { recursive: true });
      obstruct(join(vfolder, '.upload'));
    });
    await rig.begin('a', 5);
    await rig.worker(allOld).sweeper.sweepAll();
    expect(rig.names()).toEqual([]);
  });

  it('walks a whole volume, and not again before it is due', async () => {
    await rig.begin('a', 5);
    const { sweeper } = rig.worker(allOld);
    await sweeper.sweepAll();
    expect(rig.names()).toEqual([]);
    await rig.begin('b', 5);
    await sweeper.sweepAll();
    expect(rig.names()).toEqual(['.upload']);
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
