import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { injectFaults } from '../../native/ffi.js';
import { RelPath } from '../ids/relpath.js';
import { StreamBody } from './stream-body.js';
import {
  BOTH,
  failureOf,
  HELLO,
  receiveAndClose,
  SETTINGS,
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
    unlinkSync(rig.staging(request.session));
    plant(rig.staging(request.session));
    await expect(rig.offset(request)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('bytes added to the staging file beyond the declared size do not become part of the file', async () => {
    const request = await rig.begin('a', 8);
    await rig.send(request, HELLO);
    appendFileSync(rig.staging(request.session), ' and more');
    expect(await rig.offset(request)).toBe(8);
    expect(rig.read('a').toString()).toBe('hello an');
  });

  it('a vfolder that was deleted and made again does not get the old upload', async () => {
    const request = await rig.begin('a', BOTH);
    const body = new PassThrough();
    body.write(HELLO);
    const upload = await rig.uploads.open(request);
    const receiving = upload.receive(new StreamBody(body));
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
    await first.receive(new StreamBody(Readable.from([HELLO])));
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
