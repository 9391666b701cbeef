import { cephFsBackend } from './cephfs/cephfs.backend.js';
import type { BackendDescriptor } from './contract/backend.js';
import { noopBackend } from './noop/noop.backend.js';
import { pureStorageBackend } from './purestorage/purestorage.backend.js';
import { vfsBackend } from './vfs/vfs.backend.js';
import { xfsBackend } from './xfs/xfs.backend.js';

/** The backends of this build. A new one is a folder beside these and a line here. */
export const backends: readonly BackendDescriptor[] = [
  vfsBackend,
  xfsBackend,
  cephFsBackend,
  pureStorageBackend,
  noopBackend,
];
