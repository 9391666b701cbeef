import fs from 'node:fs';
import path from 'node:path';
import { Errno } from '../native/errno.js';
import { injectFaults } from '../native/ffi.js';
import { VFolderId } from './ids/vfolder-id.js';
import { DomainRig, p, SCOPED, UNSCOPED } from './testing/domain-rig.js';

type Worker = Awaited<ReturnType<DomainRig['worker']>>;

interface Bench extends Worker {
  readonly rig: DomainRig;
  /** Host path in the scoped vfolder. */
  readonly host: (...names: string[]) => string;
}

/**
 * What the original does wrong, by the numbers of its list of defects, and what happens here instead: the
 * rows that the domain core decides. Uploads, downloads and jobs have tables of their own.
 */
const DEFECTS: [row: string, instead: string, check: (bench: Bench) => Promise<void>][] = [
  [
    'S1',
    'a path that leaves the vfolder gets no token',
    async () => {
      for (const text of ['..', '../x', 'a/../../x']) {
        expect(() => p(text)).toThrow(
          expect.objectContaining({ code: 'OUTSIDE_VFOLDER' }) as Error,
        );
      }
    },
  ],
  [
    'S5',
    'a directory swapped for a link while we work leads nowhere',
    async ({ files, host, rig }) => {
      fs.writeFileSync(path.join(rig.path, 'secret'), 'secret');
      fs.mkdirSync(host('d'));
      fs.writeFileSync(host('d', 'secret'), 'public');
      // Before every call that resolves a path, the directory becomes a link out, or a directory again.
      let swapped = false;
      injectFaults((syscall) => {
        if (!['openat2', 'mkdirat', 'renameat2', 'unlinkat', 'statx'].includes(syscall))
          return undefined;
        if (swapped) {
          fs.unlinkSync(host('d'));
          fs.renameSync(host('aside'), host('d'));
        } else {
          fs.renameSync(host('d'), host('aside'));
          fs.symlinkSync(rig.path, host('d'));
        }
        swapped = !swapped;
        return undefined;
      });
      for (let round = 0; round < 20; round++) {
        const file = await files.open(SCOPED, p('d/secret')).catch(() => undefined);
        if (file) {
          const content = Buffer.alloc(6);
          await file.read(content, 0);
          await file.close();
          expect(content.toString()).toBe('public');
        }
        await files.mkdir(SCOPED, [p(`d/new${round}`)], { parents: false, existOk: true });
        await files.move(SCOPED, p('d/secret'), p('d/moved')).catch(() => undefined);
        await files.move(SCOPED, p('d/moved'), p('d/secret')).catch(() => undefined);
        await files.list(SCOPED, p('d')).catch(() => undefined);
      }
      await files.delete(SCOPED, [p('d/secret'), p('d/moved')], true).catch(() => undefined);
      injectFaults(undefined);
      expect(fs.readFileSync(path.join(rig.path, 'secret'), 'utf8')).toBe('secret');
      expect(fs.readdirSync(rig.path).filter((name) => /^(new|moved)/.test(name))).toEqual([]);
    },
  ],
  [
    'S6',
    'deleting a link deletes the link, also one that dangles or leads out',
    async ({ files, host }) => {
      fs.writeFileSync(host('target'), '');
      fs.symlinkSync('target', host('inside'));
      fs.symlinkSync('nowhere', host('dangling'));
      fs.symlinkSync('/etc/passwd', host('outside'));
      await files.delete(SCOPED, ['inside', 'dangling', 'outside'].map(p), false);
      expect(fs.readdirSync(host())).toEqual(['target']);
    },
  ],
  [
    'S7',
    'the root of a vfolder cannot be deleted from inside, nor renamed or moved',
    async ({ files, host }) => {
      fs.mkdirSync(host('c'));
      for (const text of ['.', 'c/..', '']) {
        await expect(files.delete(SCOPED, [p(text)], true)).rejects.toMatchObject({
          code: 'OUTSIDE_VFOLDER',
        });
        await expect(files.move(SCOPED, p(text), p('c'))).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
        });
      }
      expect(fs.existsSync(host('c'))).toBe(true);
    },
  ],
  [
    'S14',
    'no error names a path of the host',
    async ({ files, vfolders, rig }) => {
      const failures = await Promise.allSettled([
        files.list(SCOPED, p('missing')),
        files.move(SCOPED, p('a'), p('b')),
        files.open(SCOPED, p('missing')),
        files.delete(UNSCOPED, [p('missing')], false),
        vfolders.mountPath(SCOPED, '../..'),
        vfolders.usage({ volume: 'local', id: VFolderId.parse('0'.repeat(32)) }),
      ]);
      for (const failure of failures) {
        expect(failure.status).toBe('rejected');
        const { reason } = failure as PromiseRejectedResult;
        expect(`${String(reason)} ${JSON.stringify(reason)}`).not.toContain(rig.path);
      }
    },
  ],
  [
    'M1',
    'malformed ids and modes are INVALID_ARGUMENT',
    async ({ vfolders }) => {
      for (const text of ['team:x/y', 'user:1/2', 'user:', '']) {
        expect(() => VFolderId.parse(text)).toThrow(
          expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
        );
      }
      await expect(vfolders.create(SCOPED, { mode: 0.5 })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    },
  ],
  [
    'M3',
    'creating a vfolder again succeeds while it is empty, else conflicts',
    async ({ vfolders, host }) => {
      await vfolders.create(SCOPED);
      fs.writeFileSync(host('x'), '');
      await expect(vfolders.create(SCOPED)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    },
  ],
  [
    'M4',
    'a new name with a slash, or of the root, is INVALID_ARGUMENT',
    async ({ files }) => {
      for (const [from, name] of [
        ['a', 'b/c'],
        ['.', 'x'],
      ] as const) {
        await expect(files.rename(SCOPED, p(from), name)).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
        });
      }
    },
  ],
  [
    'M5',
    'a missing file can be told from an empty one before the first byte',
    async ({ files, host }) => {
      fs.writeFileSync(host('empty'), '');
      const file = await files.open(SCOPED, p('empty'));
      expect(file.sizeBytes).toBe(0);
      await file.close();
      await expect(files.open(SCOPED, p('missing'))).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { subject: 'entry' },
      });
    },
  ],
  [
    'M6',
    'a subpath that escapes is reported as it came',
    async ({ vfolders }) => {
      await expect(vfolders.mountPath(SCOPED, 'a/../../b')).rejects.toMatchObject({
        details: { subpath: 'a/../../b', vfid: SCOPED.id.toString() },
      });
    },
  ],
  [
    'M8',
    'used bytes are exact',
    async ({ vfolders, host }) => {
      fs.writeFileSync(host('x'), Buffer.alloc(1_234_567));
      expect((await vfolders.usage(SCOPED)).usedBytes).toBe(1_234_567);
    },
  ],
  [
    'M9, M10',
    'usage survives loops, follows nothing and counts directories',
    async ({ vfolders, host }) => {
      fs.mkdirSync(host('d'));
      fs.symlinkSync('.', host('d', 'loop'));
      fs.symlinkSync('/', host('host'));
      expect(await vfolders.usage(SCOPED)).toMatchObject({ fileCount: 3 });
    },
  ],
  [
    'M12',
    'a listing says that it is not whole',
    async ({ files, host, rig }) => {
      for (const name of ['a', 'b', 'c']) fs.writeFileSync(host(name), '');
      Object.assign(rig.settings, { scandirLimit: 2 });
      expect(await files.list(SCOPED, p('.'))).toMatchObject({ truncated: true });
    },
  ],
  [
    'M13',
    'a directory without recursive is refused, a missing path is not',
    async ({ files, host }) => {
      fs.mkdirSync(host('d'));
      await files.delete(SCOPED, [p('missing')], false);
      await expect(files.delete(SCOPED, [p('d')], false)).rejects.toMatchObject({
        code: 'IS_A_DIRECTORY',
      });
    },
  ],
  [
    'M14',
    'an empty list of paths to delete is fine for the old generation too',
    async ({ files }) => {
      await files.delete(UNSCOPED, [], true);
    },
  ],
  [
    'M19',
    'a quota scope made twice conflicts',
    async ({ quotaScopes }) => {
      await expect(quotaScopes.create('local', SCOPED.id.scope!, null)).rejects.toMatchObject({
        code: 'ALREADY_EXISTS',
      });
    },
  ],
  [
    'B6',
    'there is one instance of a volume, open before the first request',
    async ({ registry }) => {
      expect(registry.get('local')).toBe(registry.get('local'));
      expect(registry.get('local').isUsable).toBe(true);
    },
  ],
  [
    'B11',
    'a volume that hangs takes its share of the process and no more',
    async ({ registry }) => {
      const volume = registry.get('local');
      const hung = Array.from({ length: 20 }, () => volume.io(() => new Promise(() => undefined)));
      expect(volume.bulkhead.gauges).toMatchObject({ inFlight: 8, waiting: hung.length - 8 });
      await expect(volume.run('x', async () => 1)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('"local"') as string,
      });
    },
  ],
  [
    'B13',
    'vfolders of both layouts are served, with and without version.txt',
    async ({ registry, vfolders, rig }) => {
      for (const ref of [SCOPED, UNSCOPED]) await vfolders.usage(ref);
      fs.writeFileSync(path.join(rig.path, 'version.txt'), '3');
      await registry.close(100);
      await registry.reload([]);
      await registry.reload(rig.settings.volumes);
      for (const ref of [SCOPED, UNSCOPED]) await vfolders.usage(ref);
    },
  ],
  [
    'Q12',
    'a quota that cannot be read is a failure, not "no limit"',
    async ({ registry, quotaScopes }) => {
      const { quota } = registry.get('local').strategies;
      jest
        .spyOn(quota, 'describeScope')
        .mockRejectedValue(Object.assign(new Error('getxattr'), { errno: Errno.EIO }));
      await expect(quotaScopes.describe('local', SCOPED.id.scope!)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      });
    },
  ],
];

describe('defects of the original', () => {
  let rig: DomainRig;
  beforeEach(() => {
    rig = new DomainRig();
  });
  afterEach(() => {
    injectFaults(undefined);
    jest.restoreAllMocks();
    rig.remove();
  });

  it.each(DEFECTS)('%s: %s', async (_row, _instead, check) => {
    const worker = await rig.worker();
    await worker.vfolders.create(SCOPED);
    await worker.vfolders.create(UNSCOPED);
    await check({ ...worker, rig, host: (...names) => rig.hostPath(SCOPED, ...names) });
  });
});
