import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { flashBladeOptions } from '../support/flashblade-options.js';
import { PuritySimulator } from '../support/purity-simulator/purity-simulator.js';
import { InstalledToolkit } from '../support/rapidfile/install-toolkit.js';
import { describeBackend } from './backend-suite.js';

/**
 * On a local disk, where this kernel can confine the toolkit's programs to the trees they work on; over NFS the suite
 * runs in test/flashblade. What is special to toolkit 1 is in test/e2e/flashblade-toolkit.
 */
describe('RapidFile Toolkit 2', () => {
  const toolkit = new InstalledToolkit(2);
  let array: PuritySimulator;

  beforeAll(async () => {
    array = await PuritySimulator.start();
  });
  afterAll(async () => {
    await array.stop();
    toolkit.remove();
  });

  describeBackend({
    name: 'purestorage',
    listedTimesNs: 1_000_000_000n,
    async makeVolume() {
      const directory = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'flashblade-'));
      return {
        path: directory,
        options: flashBladeOptions(array, toolkit),
        dispose: () => fs.promises.rm(directory, { recursive: true, force: true }),
      };
    },
  });
});
