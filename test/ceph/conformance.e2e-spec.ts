import { describeBackend } from '../conformance/backend-suite.js';
import { CephDirectory } from './rig.js';

/** The same promises by each of two clients of one cluster. */
for (const mount of ['a', 'b'] as const) {
  describeBackend({
    name: 'cephfs',
    isSlow: true,
    deepLevels: 100,
    title: `cephfs by client ${mount}`,
    async makeVolume() {
      const directory = new CephDirectory();
      return {
        path: directory.on(mount),
        options: { maxFiles: 0 },
        dispose: () => directory.remove(mount),
      };
    },
  });
}
