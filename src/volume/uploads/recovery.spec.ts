import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
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
import { StreamBody } from './stream-body.js';
import {
  BOTH,
  failOnce,
  failureOf,
  HELLO,
  receiveAndClose,
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

describe('when things fail', () => {
  it('a failed sync is final: the upload goes back to its last durable offset', async () => {
    const request = await rig.begin('a', BOTH);
    await rig.send(request, HELLO);
    const upload = await rig.uploads.open(request);
    failOnce('fdatasync', Errno.EIO);
    await expect(
      upload.receive(new StreamBody(Readable.from([Buffer.from(', wor')]))),
    ).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await upload.close();
    expect(statSync(rig.staging(request.session)).size).toBe(5);
    expect(await rig.offset(request)).toBe(5);
  });

  it.each([
    ['ENOSPC', Errno.ENOSPC, 'NO_SPACE'],
    ['EDQUOT', Errno.EDQUOT, 'QUOTA_EXCEEDED'],
  ])('%s while writing keeps what fitted', async (_name, errno, code) => {
    const MiB = 1024 * 1024;
    const request = await rig.begin('a', 4 * MiB);
    const upload = await rig.uploads.open(request);
    // After the record and two mebibytes.
    failOnce('writev', errno, 4);
    const chunks = Array.from({ length: 4 }, (_, at) => Buffer.alloc(MiB, at));
    const body = new PassThrough({ highWaterMark: 0 });
    const failure = failureOf(receiveAndClose(upload, body));
    for (const [at, chunk] of chunks.entries()) {
      body.write(chunk);
      // Each of the two that fit is written by itself.
      await untilWritten(request.session, Math.min(at + 1, 2) * MiB);
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
    appendFileSync(rig.staging(request.session), HELLO);
    renameSync(`${rig.staging(request.session)}.offset`, `${rig.staging(request.session)}.done`);
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('a')).toEqual(HELLO);
    expect(await rig.offset(request)).toBe(5);
  });

  it.each([
    ['is written', 'writev'],
    ['has its name', 'renameat2'],
  ])('a second crash, before the new record %s, costs nothing either', async (_, call) => {
    const request = await rig.begin('a', 5);
    appendFileSync(rig.staging(request.session), HELLO);
    renameSync(`${rig.staging(request.session)}.offset`, `${rig.staging(request.session)}.done`);
    failOnce(call, Errno.EIO);
    expect(await rig.offset(request)).toBe(5);
    expect(rig.read('a')).toEqual(HELLO);
  });

  it('a killed writer costs nothing: the page cache has its bytes, and HEAD syncs them first', async () => {
    const request = await rig.begin('a', BOTH);
    await rig.send(request, HELLO);
    appendFileSync(rig.staging(request.session), WORLD.subarray(0, 3));
    const calls: string[] = [];
    injectFaults((name) => void calls.push(name));
    expect(await rig.offset(request)).toBe(8);
    expect(calls).toContain('fdatasync');
    calls.length = 0;
    expect(await rig.offset(request)).toBe(8);
    expect(calls).not.toContain('fdatasync');
  });

  it('a writer that is killed in the middle of the first body costs nothing either', async () => {
    const request = await rig.begin('a', BOTH);
    const records: string[] = [];
    injectFaults((name) => {
      if (name === 'writev')
        records.push(readFileSync(`${rig.staging(request.session)}.offset`, 'latin1'));
      return undefined;
    });
    await rig.send(request, HELLO);
    // The record, then the bytes, then what of them is durable.
    expect(records).toHaveLength(3);
    expect(records[1]).toMatch(/^0{16} [0-9a-f-]{36}\n$/);
  });

  it('what came all at once is sent again when its writer is killed before it is durable', async () => {
    const request = await rig.begin('a', 5);
    appendFileSync(rig.staging(request.session), Buffer.alloc(5));
    expect(await rig.offset(request)).toBe(0);
    expect(lstatSync(rig.staging(request.session)).size).toBe(0);
    await rig.send(request, HELLO);
    expect(rig.read('a')).toEqual(HELLO);
  });

  it.each([
    ['the record', 1],
    ['its bytes', 2],
  ])(
    'a file that was cut short is not filled up with zeros when writing %s fails',
    async (_, nth) => {
      const request = await rig.begin('a', BOTH);
      await rig.send(request, HELLO);
      truncateSync(rig.staging(request.session), 2);
      failOnce('writev', Errno.EIO, nth);
      const rest = Buffer.from('llo, world');
      await expect(rig.send(request, rest)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      injectFaults(undefined);
      expect(await rig.offset(request)).toBe(2);
      await rig.send(request, rest);
      expect(rig.read('a').toString()).toBe('hello, world');
    },
  );

  it('after a power failure only what was synced counts, whatever the size says', async () => {
    const request = await rig.begin('a', BOTH);
    await rig.send(request, HELLO);
    appendFileSync(rig.staging(request.session), Buffer.alloc(4));
    const record = `${rig.staging(request.session)}.offset`;
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
    appendFileSync(rig.staging(request.session), Buffer.alloc(4));
    const onCeph = { type: 0x00c36400 } as StatsFs;
    const asked = jest.spyOn(fsPromises, 'statfs').mockResolvedValue(onCeph);
    expect(await rig.offset(request)).toBe(5);
    expect(lstatSync(rig.staging(request.session)).size).toBe(5);
    asked.mockRestore();
    await rig.send(request, WORLD);
    expect(rig.read('a').toString()).toBe('hello, world');
  });

  it('takes over an upload that other software began', async () => {
    const session = '0a1b2c3d4e5f60718293a4b5c6d7e8f9';
    mkdirSync(join(rig.path, '.upload'));
    writeFileSync(rig.staging(session), HELLO);
    const request = { ref: rig.ref, session, sizeBytes: BOTH, target: RelPath.parse('a') };
    expect(await rig.offset(request)).toBe(5);
    expect(await rig.send(request, WORLD)).toBe(BOTH);
    expect(rig.read('a').toString()).toBe('hello, world');
  });
});

async function untilWritten(session: string, bytes: number): Promise<void> {
  while (statSync(rig.staging(session)).size < bytes) await sleep(5);
}
