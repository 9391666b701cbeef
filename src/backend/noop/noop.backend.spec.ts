import { noopBackend, NoopBackend } from './noop.backend.js';

describe('NoopBackend', () => {
  const here = { path: Buffer.from('any') };

  it('does nothing, claims nothing, and succeeds', async () => {
    const strategies = await new NoopBackend().open();
    const { quota, trees, telemetry, capabilities, warnings } = strategies;
    expect(capabilities.size).toBe(0);
    expect(warnings).toEqual([]);
    expect(await trees.list(here, here.path, { limit: 0 })).toEqual({ entries: [] });
    expect(await trees.usage(here)).toEqual({ fileCount: 0, usedBytes: 0 });
    for await (const batch of trees.scan(here, here.path)) throw new Error(`found ${batch.length}`);
    await trees.copy(here, here);
    await trees.remove(here);
    await trees.removeEntry(here, here.path);
    expect(await quota.describeScope(here.path)).toEqual({ usedBytes: null, limitBytes: null });
    expect(await telemetry.capacity()).toEqual({ capacityBytes: 0, usedBytes: 0 });
    expect(await telemetry.hardwareInfo()).toEqual({
      status: 'healthy',
      statusInfo: null,
      metadata: {},
    });
    await expect(telemetry.performanceMetric()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await strategies.close(0);
  });

  it('is found by its name', () => {
    expect(noopBackend).toMatchObject({ name: 'noop', backend: NoopBackend });
  });
});
