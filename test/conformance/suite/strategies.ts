import fs from 'node:fs';
import type { VolumeStrategies } from '../../../src/backend/contract/backend.js';
import type { BackendHost, OpenVolume } from './backend-under-test.js';

/** Opening, capabilities, quota and telemetry. */
export function describeStrategies(host: BackendHost): void {
  let volume: OpenVolume;
  let strategies: VolumeStrategies;
  const scope = Buffer.from('0123456789abcdef0123456789abcdef');

  beforeEach(async () => {
    volume = await host.open();
    ({ strategies } = volume);
  });
  afterEach(() => volume.close());

  it('opens a volume again after it was closed', async () => {
    await strategies.close(5000);
    await strategies.close(5000);
    const again = await host.backend.open(volume.settings);
    fs.mkdirSync(volume.at('tree'));
    expect(await again.trees.usage({ path: Buffer.from('tree') })).toMatchObject({ fileCount: 0 });
    await again.close(5000);
  });

  it('refuses a mount path that is not there, saying so', async () => {
    const settings = host.settings(volume.disk, volume.at('missing'));
    await expect(host.backend.open(settings)).rejects.toMatchObject({
      name: 'StorageError',
      code: 'UNAVAILABLE',
      message: expect.stringContaining(volume.at('missing')) as unknown,
    });
  });

  it('changes nothing on the volume by opening it, and warns of a missing layout marker', async () => {
    expect(fs.existsSync(volume.at('version.txt'))).toBe(false);
    expect(strategies.warnings.join()).toContain('version.txt');
    fs.writeFileSync(volume.at('version.txt'), '3\n');
    const marked = await host.backend.open(volume.settings);
    expect(marked.warnings.join()).not.toContain('version.txt');
    await marked.close(5000);
  });

  it('claims what its strategies can do, and no more', () => {
    const { quota, trees, telemetry, capabilities } = strategies;
    expect(capabilities.has('vfolder')).toBe(true);
    expect(capabilities.has('quota')).toBe(quota.enforcesScopes);
    expect(capabilities.has('metric')).toBe(telemetry.measuresPerformance);
    expect(capabilities.has('fast-fs-size')).toBe(telemetry.knowsCapacityAtOnce);
    expect(capabilities.has('fast-scan')).toBe(trees.scansFast);
    expect(capabilities.has('fast-size')).toBe(trees.knowsUsageAtOnce);
  });

  it('measures performance if it claims to, and refuses if not', async () => {
    const measured = strategies.telemetry.performanceMetric();
    if (strategies.capabilities.has('metric')) {
      for (const figure of Object.values(await measured)) expect(figure).toBeGreaterThanOrEqual(0);
    } else {
      await expect(measured).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    }
  });

  it('tells capacity and health', async () => {
    const { capacityBytes, usedBytes } = await strategies.telemetry.capacity();
    expect(capacityBytes).toBeGreaterThan(0);
    // A cluster that was just made holds nothing.
    expect(usedBytes).toBeGreaterThanOrEqual(0);
    expect(usedBytes).toBeLessThanOrEqual(capacityBytes);
    const { status, metadata } = await strategies.telemetry.hardwareInfo();
    expect(['healthy', 'degraded', 'offline', 'unavailable']).toContain(status);
    for (const value of Object.values(metadata)) expect(typeof value).toBe('string');
  });

  it('makes, describes, updates and releases a quota scope, each of them twice', async () => {
    const { quota } = strategies;
    fs.mkdirSync(volume.at(scope.toString()), { mode: quota.scopeMode });
    const expectLimit = async (limitBytes: number | null): Promise<void> => {
      const status = await quota.describeScope(scope);
      expect(status.limitBytes).toBe(quota.enforcesScopes ? limitBytes : null);
      if (quota.enforcesScopes) expect(status.usedBytes).toBeGreaterThanOrEqual(0);
    };
    for (const _ of ['first', 'again']) await quota.initialiseScope(scope, 64 << 20);
    await expectLimit(64 << 20);
    for (const _ of ['first', 'again']) await quota.updateScope(scope, 128 << 20);
    await expectLimit(128 << 20);
    for (const _ of ['first', 'again']) await quota.updateScope(scope, null);
    await expectLimit(null);
    for (const _ of ['first', 'again']) await quota.releaseScope(scope);
    fs.rmdirSync(volume.at(scope.toString()));
  });

  it('limits single vfolders if it claims to, and refuses if not', async () => {
    const { quota } = strategies;
    const vfolder = Buffer.from('ab/cd/ef');
    fs.mkdirSync(volume.at('ab/cd/ef'), { recursive: true });
    await quota.initialiseVFolder(vfolder, null);
    if (quota.enforcesVFolders) {
      await quota.updateVFolder(vfolder, 64 << 20);
      expect((await quota.describeVFolder(vfolder)).limitBytes).toBe(64 << 20);
    } else {
      const refusal = { code: 'UNSUPPORTED' };
      await expect(quota.updateVFolder(vfolder, 64 << 20)).rejects.toMatchObject(refusal);
      await expect(quota.describeVFolder(vfolder)).rejects.toMatchObject(refusal);
    }
    for (const _ of ['first', 'again']) await quota.releaseVFolder(vfolder);
  });
}
