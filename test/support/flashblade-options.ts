import type { PuritySimulator } from './purity-simulator/purity-simulator.js';
import type { InstalledToolkit } from './rapidfile/install-toolkit.js';

/** Checked options of a FlashBlade volume on a local disk, for suites that open the backend themselves. */
export function flashBladeOptions(array: PuritySimulator, toolkit?: InstalledToolkit): object {
  return {
    endpoint: array.endpoint,
    apiToken: array.apiToken,
    fileSystem: 'vfolders',
    verifyTls: true,
    timeoutMs: 5000,
    rapidFile: toolkit ? 'required' : 'off',
    ...(toolkit && { rapidFilePath: toolkit.directory }),
    confinement: 'required',
    rapidFileReadable: [],
    listFrom: 0,
    processes: 4,
    fastRemove: false,
    localLocks: 'refuse',
    requireNfs: false,
  };
}
