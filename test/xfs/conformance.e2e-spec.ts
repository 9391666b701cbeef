import { describeBackend } from '../conformance/backend-suite.js';
import type { BackendUnderTest } from '../conformance/suite/backend-under-test.js';
import { makeAgent, ScratchVolume } from './support/guest.js';

const subject: BackendUnderTest = {
  name: 'xfs',
  makeAgent: () => makeAgent(),
  async makeVolume() {
    const volume = new ScratchVolume('conformance');
    const { path } = volume;
    return { path, options: volume.settings.options, dispose: () => volume.dispose() };
  },
};

// Trees are read by `posix` here, which the suite of vfs puts to every test.
describeBackend(subject, ['strategies', 'trees that are changed']);
