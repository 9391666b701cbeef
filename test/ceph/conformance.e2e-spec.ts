import { describeBackend } from '../conformance/backend-suite.js';
import type { BackendUnderTest } from '../conformance/suite/backend-under-test.js';
import { CephDirectory, type MountName } from './rig.js';

const by = (mount: MountName): BackendUnderTest => ({
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

/**
 * The same promises by each of two clients of one cluster. What trees do is the same program for both; what a second
 * mount brings is what one client sees of the other's work, for which two-proxies.e2e-spec.ts is there.
 */
describeBackend(by('a'));
describeBackend(by('b'), ['strategies', 'trees that are changed']);
