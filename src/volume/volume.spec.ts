import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../errors/storage-error.js';
import { Errno, SystemError } from '../native/errno.js';
import { injectFaults } from '../native/ffi.js';
import { DomainRig, SCOPED } from './testing/domain-rig.js';
import type { Volume } from './volume.js';

const hang = (): Promise<never> => new Promise(() => undefined);

describe('Volume', () => {
  let rig: DomainRig;
  let volume: Volume;

  beforeEach(async () => {
    rig = new DomainRig({ operationDeadlineMs: 100 });
    volume = (await rig.worker()).registry.get('local');
    // On a busy machine the volume may open after its deadline.
    while (!volume.isUsable) await sleep(10);
  });
  afterEach(() => {
    injectFaults(undefined);
    rig.remove();
  });

  it('turns system errors of an operation into ours, and leaves ours alone', async () => {
    const fail = (error: Error) =>
      volume.run('x', async () => {
        throw error;
      });
    await expect(fail(new SystemError(Errno.ESTALE, 'openat2'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'Stale file handle',
    });
    await expect(fail(new SystemError(Errno.EDQUOT, 'mkdirat'))).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
    });
    const ours = new StorageError('LOCKED');
    await expect(fail(ours)).rejects.toBe(ours);
  });

  it('leaves the errors of transfers as they are', async () => {
    const error = new SystemError(Errno.EIO, 'read');
    await expect(volume.io(() => Promise.reject(error))).rejects.toBe(error);
  });

  it('gives up an operation at its deadline, and its slot when it ends', async () => {
    await expect(volume.run('file.list', hang)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'volume "local" did not answer within 0.1 s (file.list)',
    });
    expect(volume.bulkhead.gauges.inFlight).toBe(1);
  });

  it('releases what is acquired too late, and nothing that was in time', async () => {
    const released: string[] = [];
    const acquire = (what: string, afterMs: number) =>
      volume.acquire(
        'x',
        () => new Promise<string>((done) => setTimeout(done, afterMs, what)),
        (unwanted) => void released.push(unwanted),
      );
    expect(await acquire('early', 1)).toBe('early');
    await expect(acquire('late', 150)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await sleep(150);
    expect(released).toEqual(['late']);
  });

  it('closes the vfolder after the work, whatever becomes of it', async () => {
    fs.mkdirSync(rig.hostPath(SCOPED), { recursive: true });
    const descriptors = (): number => fs.readdirSync('/proc/self/fd').length;
    const before = descriptors();
    await volume.withVFolder('x', SCOPED.id, (vfolder) => vfolder.stat());
    const fail = () => Promise.reject(new Error('no'));
    await expect(volume.withVFolder('x', SCOPED.id, fail)).rejects.toThrow('no');
    await expect(volume.withRoot('x', fail)).rejects.toThrow('no');
    expect(descriptors()).toBe(before);
  });

  it.each([
    ['a file', () => fs.writeFileSync(rig.hostPath(SCOPED), '')],
    ['a link out of the volume', () => fs.symlinkSync('/etc', rig.hostPath(SCOPED))],
    ['a loop', () => fs.symlinkSync('x', rig.hostPath(SCOPED, '..', 'x'))],
    ['nothing', () => undefined],
  ])('takes %s for no vfolder', async (_, make) => {
    fs.mkdirSync(rig.hostPath(SCOPED, '..'), { recursive: true });
    make();
    await expect(volume.openVFolder(SCOPED.id)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { subject: 'vfolder', vfid: SCOPED.id.toString() },
    });
  });

  it('is not lost when the process is out of descriptors', async () => {
    injectFaults((syscall) => (syscall === 'openat2' ? Errno.EMFILE : undefined));
    await expect(volume.openRoot()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    injectFaults(undefined);
    expect(volume.isUsable).toBe(true);
    (await volume.openRoot()).close();
  });
});
