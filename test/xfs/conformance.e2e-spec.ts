import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as agentModule from '../../src/backend/xfs/local-volume-agent.js';
import { describeBackend } from '../conformance/backend-suite.js';
import type { BackendUnderTest } from '../conformance/suite/backend-under-test.js';
import { built } from '../support/built.js';
import { ScratchVolume, xfsOptions } from './support/guest.js';

const subject: BackendUnderTest = {
  name: 'xfs',
  async makeAgent() {
    const { LocalVolumeAgent } = await built<typeof agentModule>(
      'backend/xfs/local-volume-agent.js',
    );
    return new LocalVolumeAgent();
  },
  async makeVolume() {
    const volume = new ScratchVolume('conformance');
    const files = mkdtempSync(join(tmpdir(), 'xfs-files-'));
    return {
      path: volume.path,
      options: xfsOptions(files),
      dispose() {
        volume.dispose();
        rmSync(files, { recursive: true, force: true });
      },
    };
  },
};

// Trees are read by `posix` here, which the suite of vfs puts to every test.
describeBackend(subject, ['strategies', 'trees that are changed']);
