import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { injectFaults } from '../../native/ffi.js';
import { HELLO, SETTINGS, UploadRig } from './testing/upload-rig.js';

let rig: UploadRig;

beforeEach(async () => {
  rig = await UploadRig.create();
});

afterEach(() => {
  injectFaults(undefined);
  rig.remove();
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
