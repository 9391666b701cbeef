import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { BackendModule } from './backend.module.js';
import { BackendCatalog } from './contract/backend-catalog.js';
import type { Backend, BackendDescriptor, VolumeStrategies } from './contract/backend.js';
import { backends } from './index.js';
import { NoopBackend } from './noop/noop.backend.js';
import { VfsBackend } from './vfs/vfs.backend.js';

class Options {}

@Injectable()
class TapeBackend implements Backend<Options> {
  open(): Promise<VolumeStrategies> {
    return Promise.reject(new Error('no tape'));
  }
}
const tape: BackendDescriptor<Options> = { name: 'tape', backend: TapeBackend, options: Options };

async function catalogWith(extra?: BackendDescriptor[]): Promise<BackendCatalog> {
  const module = await Test.createTestingModule({
    imports: [BackendModule.forRoot(extra ? { extra } : {})],
  }).compile();
  return module.get(BackendCatalog);
}

describe('BackendModule', () => {
  it('provides one instance for each backend of the list', async () => {
    const catalog = await catalogWith();
    expect(catalog.names()).toEqual(backends.map(({ name }) => name));
    expect(catalog.get('vfs')).toBeInstanceOf(VfsBackend);
    expect(catalog.get('vfs')).toBe(catalog.get('vfs'));
    expect(catalog.get('noop')).toBeInstanceOf(NoopBackend);
  });

  it('takes backends from elsewhere', async () => {
    const catalog = await catalogWith([tape]);
    expect(catalog.get('tape')).toBeInstanceOf(TapeBackend);
    expect(catalog.describe('tape').options).toBe(Options);
  });

  it('refuses two backends with one name', () => {
    expect(() => BackendModule.forRoot({ extra: [{ ...tape, name: 'vfs' }] })).toThrow(
      /"vfs" is registered twice; registered are vfs, .*vfs/,
    );
  });

  it('names the backends there are when one is unknown', async () => {
    const catalog = await catalogWith();
    const names = backends.map(({ name }) => name).join(', ');
    expect(() => catalog.get('vsf')).toThrow(`Backend "vsf" is unknown: there are ${names}`);
  });

  it.each(['netapp', 'weka', 'gpfs', 'vast', 'dellemc-onefs', 'hammerspace'])(
    'offers vfs for a volume of %s',
    async (name) => {
      const catalog = await catalogWith();
      expect(() => catalog.describe(name)).toThrow(/not part of this build .*backend = "vfs"/);
    },
  );
});
