import { Module, type DynamicModule } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { BackendCatalog } from '../backend/contract/backend-catalog.js';
import { catalogOf, DomainRig, p, SCOPED, strategiesOf } from './testing/domain-rig.js';
import { VolumeModule } from './volume.module.js';
import { VolumeService } from './volume.service.js';
import { LocalWorkerBus } from './worker-bus.js';

@Module({})
class Backends {}

const backends: DynamicModule = {
  module: Backends,
  providers: [
    {
      provide: BackendCatalog,
      useValue: catalogOf({ open: async ({ path }) => strategiesOf(path) }),
    },
  ],
  exports: [BackendCatalog],
};

describe('VolumeModule', () => {
  let rig: DomainRig;
  beforeEach(() => {
    rig = new DomainRig();
  });
  afterEach(() => rig.remove());

  async function core() {
    const options = { settings: rig.settings, bus: new LocalWorkerBus(), backends };
    const core = await Test.createTestingModule({
      imports: [VolumeModule.forRoot(options)],
    }).compile();
    return core.get(VolumeService);
  }

  it('puts the domain together, one volume for all of it', async () => {
    const volumes = await core();
    expect(volumes.list()).toEqual([]);
    await volumes.registry.open();
    expect(volumes.list()).toEqual([
      { name: 'local', backend: 'vfs', path: rig.path, fsprefix: '.', capabilities: ['vfolder'] },
    ]);
    await volumes.vfolders.create(SCOPED);
    await volumes.files.mkdir(SCOPED, [p('d')], { parents: false, existOk: false });
    expect(await volumes.vfolders.usage(SCOPED)).toMatchObject({ fileCount: 1 });
    await volumes.registry.close(1000);
  });

  it('answers what concerns a volume as a whole', async () => {
    const volumes = await core();
    const opened = volumes.registry.open();
    await expect(volumes.capacity('local')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'not-ready' },
    });
    await opened;
    expect(await volumes.hardwareInfo('local')).toMatchObject({ status: 'healthy' });
    expect((await volumes.capacity('local')).capacityBytes).toBeGreaterThan(0);
    await expect(volumes.performanceMetric('local')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    await expect(volumes.capacity('nope')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await volumes.registry.close(1000);
  });

  it('leaves a sick volume out of the list (M11)', async () => {
    const volumes = await core();
    await volumes.registry.open();
    volumes.registry.get('local').markHung('it hangs');
    expect(volumes.list()).toEqual([]);
    await volumes.registry.close(1000);
  });
});
