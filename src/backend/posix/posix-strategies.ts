import type { VolumeSettings, VolumeStrategies } from '../contract/backend.js';
import { capabilitiesOf } from '../contract/capability.js';
import type { AbstractVolumeAgent } from '../contract/volume-agent.js';
import { PosixQuotaModel } from './posix-quota.model.js';
import { PosixTelemetry } from './posix-telemetry.js';
import { PosixTrees, type RemoveForeign } from './posix-trees.js';
import { TreePool } from './tree-pool.js';
import { TREE_WORKER_URL } from './tree-worker-url.js';

/** What the defaults have to know of a volume. */
type MountedVolume = Pick<VolumeSettings, 'name' | 'path'>;

/** The strategies that a backend does better than POSIX. */
export type BetterStrategies = Partial<
  Pick<VolumeStrategies, 'quota' | 'trees' | 'telemetry' | 'reservedNames'>
>;

/** The strategies of a mounted volume: the POSIX default wherever `better` has nothing. */
export function posixStrategies(
  volume: MountedVolume,
  warnings: readonly string[] = [],
  better: BetterStrategies = {},
): VolumeStrategies {
  const quota = better.quota ?? new PosixQuotaModel();
  const reservedNames = better.reservedNames ?? [];
  const trees = better.trees ?? posixTrees(volume, { reservedNames });
  const telemetry = better.telemetry ?? new PosixTelemetry(volume.path);
  return {
    quota,
    trees,
    telemetry,
    capabilities: capabilitiesOf({ quota, trees, telemetry }),
    reservedNames,
    warnings,
    close: (deadlineMs) => trees.close(deadlineMs),
  };
}

export interface TreesOptions {
  readonly reservedNames?: readonly Buffer[];
  /** Links on the way to a location are refused, also those that stay inside. */
  readonly refusesLinks?: boolean;
  /** Removes a directory of which this process may not remove everything. */
  readonly removeForeign?: RemoveForeign;
}

/** The default trees, for a backend that does some of them better and holds these for the rest. */
export function posixTrees(
  { name, path }: MountedVolume,
  { reservedNames = [], refusesLinks = false, removeForeign }: TreesOptions = {},
): PosixTrees {
  const volume = { path, reservedNames, refusesLinks };
  const pool = new TreePool({ name, workerUrl: TREE_WORKER_URL, volume });
  return new PosixTrees(pool, removeForeign);
}

/** For {@link TreesOptions.removeForeign}: what this process may not remove is left to the agent, where there is one. */
export function removalBy(
  agent: AbstractVolumeAgent | undefined,
  volume: string,
): Pick<TreesOptions, 'removeForeign'> {
  if (!agent) return {};
  return { removeForeign: (path, options) => agent.removeTree(volume, path, options) };
}
