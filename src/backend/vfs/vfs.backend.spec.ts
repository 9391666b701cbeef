import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { VfsBackend } from './vfs.backend.js';

/** What needs no worker thread; the rest is in `test/conformance/vfs.e2e-spec.ts`. */
describe('VfsBackend', () => {
  let top: string;
  const settings = (): Parameters<VfsBackend['open']>[0] => ({
    name: 'local',
    backend: 'vfs',
    path: top,
    fsprefix: '.',
    options: {},
  });

  beforeEach(() => {
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'vfs-'));
  });
  afterEach(() => fs.rmSync(top, { recursive: true, force: true }));

  it('claims vfolders and nothing else', async () => {
    const strategies = await new VfsBackend().open(settings());
    expect([...strategies.capabilities]).toEqual(['vfolder']);
    expect(strategies.quota.scopeMode).toBe(0o755);
    await strategies.close(0);
  });

  it('tells capacity as statvfs counts it', async () => {
    const { telemetry } = await new VfsBackend().open(settings());
    const { blocks, bsize } = fs.statfsSync(top);
    const { capacityBytes, usedBytes } = await telemetry.capacity();
    expect(capacityBytes).toBe(blocks * bsize);
    expect(usedBytes % bsize).toBe(0);
    expect(usedBytes).toBeLessThanOrEqual(capacityBytes);
  });

  it('does not open a volume that is not mounted', async () => {
    fs.rmSync(top, { recursive: true });
    await expect(new VfsBackend().open(settings())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
