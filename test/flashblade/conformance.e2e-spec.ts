import fs from 'node:fs';
import path from 'node:path';
import { describeBackend } from '../conformance/backend-suite.js';
import { flashBladeOptions } from '../support/flashblade-options.js';
import { PuritySimulator } from '../support/purity-simulator/purity-simulator.js';

const NFS = process.env['STORAGE_PROXY_TEST_NFS'] ?? '/mnt/nfs';

/** The backend's promises over a real NFSv3 mount, by its plain walks; the toolkit has a suite of its own. */
describe('FlashBlade over NFSv3', () => {
  let array: PuritySimulator;

  beforeAll(async () => {
    array = await PuritySimulator.start();
  });
  afterAll(() => array.stop());

  describeBackend({
    name: 'purestorage',
    isSlow: true,
    async makeVolume() {
      const directory = await fs.promises.mkdtemp(path.join(NFS, 'volume-'));
      return {
        path: directory,
        options: { ...flashBladeOptions(array), requireNfs: true },
        dispose: () => fs.promises.rm(directory, { recursive: true, force: true }),
      };
    },
  });
});
