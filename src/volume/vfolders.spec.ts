import fs from 'node:fs';
import path from 'node:path';
import { Errno, SystemError } from '../native/errno.js';
import { injectFaults } from '../native/ffi.js';
import { DomainRig, PlainQuota, SCOPE, SCOPED, UNSCOPED } from './testing/domain-rig.js';

class VFolderQuota extends PlainQuota {
  readonly limits = new Map<string, number | null>();
  override readonly enforcesVFolders = true;
  failure: Error | undefined;

  override async initialiseVFolder(vfolder: Buffer, limitBytes: number | null): Promise<void> {
    if (this.failure) throw this.failure;
    this.limits.set(vfolder.toString(), limitBytes);
    await Promise.resolve();
  }

  override async describeVFolder(vfolder: Buffer) {
    const limitBytes = this.limits.get(vfolder.toString()) ?? null;
    return await Promise.resolve({ usedBytes: null, limitBytes });
  }

  override updateVFolder(vfolder: Buffer, limitBytes: number | null): Promise<void> {
    return this.initialiseVFolder(vfolder, limitBytes);
  }
}

const modeOf = (file: string): number => fs.statSync(file).mode & 0o7777;

describe('VFolders', () => {
  let rig: DomainRig;
  let umask: number;
  beforeEach(() => {
    umask = process.umask(0o022);
    rig = new DomainRig();
  });
  afterEach(() => {
    injectFaults(undefined);
    process.umask(umask);
    rig.remove();
  });

  describe('create', () => {
    it('makes the scope, the prefix directories and the vfolder', async () => {
      const { vfolders } = await rig.worker();
      await vfolders.create(SCOPED, { initialScopeLimitBytes: 0 });
      const vfolder = rig.hostPath(SCOPED);
      expect(modeOf(vfolder)).toBe(0o755);
      expect(fs.existsSync(path.join(rig.path, SCOPE.pathname, '.trash'))).toBe(true);
    });

    it.each([0o775, 0o700, 0o2770])('applies mode %o exactly, whatever the umask', async (mode) => {
      const { vfolders } = await rig.worker();
      await vfolders.create(SCOPED, { mode });
      expect(modeOf(rig.hostPath(SCOPED))).toBe(mode);
      await vfolders.create(SCOPED, { mode: 0o711 });
      expect(modeOf(rig.hostPath(SCOPED))).toBe(0o711);
    });

    it.each([-1, 0o10000, 1.5])('refuses mode %p (M1)', async (mode) => {
      const { vfolders } = await rig.worker();
      await expect(vfolders.create(SCOPED, { mode })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { data: { mode: expect.any(String) as string } },
      });
    });

    it.each([
      ['scoped', SCOPED],
      ['unscoped', UNSCOPED],
    ])('may be repeated while a %s vfolder is empty, then conflicts (M3)', async (_, ref) => {
      const { vfolders } = await rig.worker();
      await vfolders.create(ref);
      await vfolders.create(ref);
      fs.writeFileSync(rig.hostPath(ref, 'data'), '');
      await expect(vfolders.create(ref)).rejects.toMatchObject({
        code: 'ALREADY_EXISTS',
        details: { subject: 'vfolder', vfid: ref.id.toString() },
      });
      expect(fs.existsSync(rig.hostPath(ref, 'data'))).toBe(true);
    });

    it('needs the scope when it may not make one', async () => {
      rig.remove();
      rig = new DomainRig({ autoCreateQuotaScope: false });
      const { vfolders, quotaScopes } = await rig.worker();
      await expect(vfolders.create(SCOPED)).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { subject: 'quota-scope' },
      });
      await quotaScopes.create('local', SCOPE, null);
      await vfolders.create(SCOPED);
    });

    it('gives the initial limit to a new scope only', async () => {
      const limits: (number | null)[] = [];
      class Watched extends PlainQuota {
        override async initialiseScope(_: Buffer, limit: number | null): Promise<void> {
          limits.push(limit);
          await Promise.resolve();
        }
      }
      rig.remove();
      rig = new DomainRig({}, new Watched());
      const { vfolders } = await rig.worker();
      await vfolders.create(SCOPED, { initialScopeLimitBytes: 42 });
      await vfolders.create(SCOPED, { initialScopeLimitBytes: 43 });
      expect(limits).toEqual([42]);
    });

    it('survives deletions that take away the prefix directories', async () => {
      const { vfolders } = await rig.worker();
      const outer = path.join(rig.path, UNSCOPED.id.folder.slice(0, 2));
      let stolen = 0;
      injectFaults((syscall) => {
        // Between making the inner prefix directory and the vfolder in it.
        if (syscall === 'mkdirat' && stolen < 3 && fs.existsSync(path.join(outer, '8e'))) {
          stolen += 1;
          fs.rmSync(outer, { recursive: true });
        }
        return undefined;
      });
      await vfolders.create(UNSCOPED);
      expect(stolen).toBe(3);
      expect(fs.existsSync(rig.hostPath(UNSCOPED))).toBe(true);
    });

    it('succeeds in every one of several workers that repeat it at once', async () => {
      const workers = await Promise.all([rig.worker(), rig.worker(), rig.worker()]);
      await Promise.all(workers.map(({ vfolders }) => vfolders.create(SCOPED, { mode: 0o775 })));
      expect(modeOf(rig.hostPath(SCOPED))).toBe(0o775);
    });

    it('tells a full disk, and names no host path', async () => {
      const { vfolders } = await rig.worker();
      injectFaults((syscall) => (syscall === 'mkdirat' ? Errno.ENOSPC : undefined));
      await expect(vfolders.create(UNSCOPED)).rejects.toMatchObject({
        code: 'NO_SPACE',
        message: 'No space left on device',
        details: { subject: 'entry', vfid: UNSCOPED.id.toString() },
      });
    });
  });

  describe('limits of unscoped vfolders', () => {
    it('are accepted and without effect where the backend has none, but cannot be read', async () => {
      const { vfolders } = await rig.worker();
      await vfolders.create(UNSCOPED, { quotaBytes: 1024 });
      for (const call of [
        () => vfolders.quota(UNSCOPED),
        () => vfolders.setQuota(UNSCOPED, 1),
        () => vfolders.quota(SCOPED),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
      }
    });

    it('are set at creation, read and changed', async () => {
      const quota = new VFolderQuota();
      rig.remove();
      rig = new DomainRig({}, quota);
      const { vfolders, registry } = await rig.worker();
      await expect(vfolders.quota(UNSCOPED)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await vfolders.create(UNSCOPED, { quotaBytes: 1024 });
      expect(await vfolders.quota(UNSCOPED)).toBe(1024);
      await vfolders.setQuota(UNSCOPED, 2048);
      expect(await vfolders.quota(UNSCOPED)).toBe(2048);
      quota.limits.clear();
      const { capacityBytes } = await registry.get('local').strategies.telemetry.capacity();
      expect(await vfolders.quota(UNSCOPED)).toBe(capacityBytes);
      await expect(vfolders.quota(SCOPED)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    });

    it('leave no vfolder behind when they cannot be set', async () => {
      const quota = new VFolderQuota();
      quota.failure = new SystemError(Errno.EPERM, 'quotactl');
      rig.remove();
      rig = new DomainRig({}, quota);
      const { vfolders } = await rig.worker();
      await expect(vfolders.create(UNSCOPED)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
      expect(fs.existsSync(rig.hostPath(UNSCOPED))).toBe(false);
    });
  });

  describe('mountPath', () => {
    it('is the real path, for any subpath that stays inside', async () => {
      const { vfolders } = await rig.worker();
      await vfolders.create(SCOPED);
      const real = fs.realpathSync(rig.hostPath(SCOPED));
      for (const subpath of ['.', '', 'not/there', 'a/../b']) {
        expect(await vfolders.mountPath(SCOPED, subpath)).toBe(real);
      }
    });

    it.each(['..', '/etc', 'a/../../x', 'out', 'out/passwd', 'loop', 'dangling-out'])(
      'refuses %s and reports it (M6)',
      async (subpath) => {
        const { vfolders } = await rig.worker();
        await vfolders.create(SCOPED);
        fs.symlinkSync('/etc', rig.hostPath(SCOPED, 'out'));
        fs.symlinkSync('loop', rig.hostPath(SCOPED, 'loop'));
        fs.symlinkSync('../../../../nowhere', rig.hostPath(SCOPED, 'dangling-out'));
        await expect(vfolders.mountPath(SCOPED, subpath)).rejects.toMatchObject({
          code: 'OUTSIDE_VFOLDER',
          details: { vfid: SCOPED.id.toString(), subpath },
        });
      },
    );

    it('needs the vfolder', async () => {
      const { vfolders } = await rig.worker();
      await expect(vfolders.mountPath(SCOPED, '.')).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { subject: 'vfolder', vfid: SCOPED.id.toString() },
      });
    });
  });

  describe('usage', () => {
    it('counts every entry by lstat, running uploads left out, and survives loops (M8, M9, M10)', async () => {
      const { vfolders } = await rig.worker();
      await vfolders.create(SCOPED);
      fs.mkdirSync(rig.hostPath(SCOPED, '.upload'));
      fs.mkdirSync(rig.hostPath(SCOPED, 'a', '.upload'), { recursive: true });
      fs.writeFileSync(rig.hostPath(SCOPED, '.upload', 'x'), Buffer.alloc(1000));
      fs.writeFileSync(rig.hostPath(SCOPED, 'file'), Buffer.alloc(12345));
      fs.symlinkSync('loop', rig.hostPath(SCOPED, 'loop'));
      fs.symlinkSync('/', rig.hostPath(SCOPED, 'out'));
      const directories = ['a', 'a/.upload'].map(
        (at) => fs.statSync(rig.hostPath(SCOPED, at)).size,
      );
      const usedBytes = 12345 + 'loop'.length + '/'.length + directories[0]! + directories[1]!;
      expect(await vfolders.usage(SCOPED)).toEqual({ fileCount: 5, usedBytes });
    });

    it('is one walk for those who ask at the same time', async () => {
      const { vfolders, registry } = await rig.worker();
      await vfolders.create(SCOPED);
      const usage = jest.spyOn(registry.get('local').strategies.trees, 'usage');
      await Promise.all([vfolders.usage(SCOPED), vfolders.usage(SCOPED)]);
      expect(usage).toHaveBeenCalledTimes(1);
      await vfolders.usage(SCOPED);
      expect(usage).toHaveBeenCalledTimes(2);
    });

    it('says so rather than -1 when a walk takes too long (M9)', async () => {
      rig.remove();
      rig = new DomainRig({ usageDeadlineMs: 10 });
      const { vfolders, registry } = await rig.worker();
      await vfolders.create(SCOPED);
      jest
        .spyOn(registry.get('local').strategies.trees, 'usage')
        .mockReturnValue(new Promise(() => undefined));
      await expect(vfolders.usage(SCOPED)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });

    it('does not wait for a volume that is found hanging', async () => {
      const { vfolders, registry } = await rig.worker();
      await vfolders.create(SCOPED);
      const volume = registry.get('local');
      const walk = new Promise<never>(() => undefined);
      const usage = jest.spyOn(volume.strategies.trees, 'usage').mockReturnValue(walk);
      const refused = vfolders.usage(SCOPED).catch((error: unknown) => error);
      while (usage.mock.calls.length === 0) await new Promise(setImmediate);
      volume.markHung('no answer to stat within 5 s');
      expect(await refused).toMatchObject({ code: 'UNAVAILABLE' });
      expect(usage.mock.calls[0]![1]!.signal!.aborted).toBe(true);
    });

    it('needs the vfolder', async () => {
      const { vfolders } = await rig.worker();
      await expect(vfolders.usage(UNSCOPED)).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { subject: 'vfolder' },
      });
    });
  });
});
