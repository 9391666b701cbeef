import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describeBackend } from './backend-suite.js';

describeBackend({
  name: 'vfs',
  async makeVolume() {
    const directory = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'vfs-'));
    return {
      path: directory,
      options: {},
      dispose: () => fs.promises.rm(directory, { recursive: true, force: true }),
    };
  },
});
