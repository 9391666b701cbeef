import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface PackageFile {
  readonly version: string;
}

/** Where this build lies. Apart from the rest, since only modules on disk can say so. */
export const installation = {
  version: (JSON.parse(readFileSync(beside('../../package.json'), 'utf8')) as PackageFile).version,
  /** Entries of child processes. */
  workerEntry: beside('./worker/worker-main.js'),
  agentEntry: beside('./agent/agent-main.js'),
  proberEntry: beside('../health/probe/prober.js'),
  volumeCheckEntry: beside('./check/volume-check-main.js'),
  /** Some file of the installation: its owner is whom workers run as by default. */
  file: beside('../main.js'),
} as const;
