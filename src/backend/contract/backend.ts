import type { Capability } from './capability.js';
import type { QuotaModel } from './quota-model.js';
import type { Telemetry } from './telemetry.js';
import type { TreeOperations } from './tree-operations.js';

/** What the configuration says of one volume, checked. */
export interface VolumeSettings<Options extends object = object> {
  readonly name: string;
  readonly backend: string;
  /** Absolute mount path on this host. */
  readonly path: string;
  readonly fsprefix: string;
  readonly options: Options;
}

/** One open volume's strategies: what its filesystem's maker does, or the POSIX default. */
export interface VolumeStrategies {
  readonly quota: QuotaModel;
  readonly trees: TreeOperations;
  readonly telemetry: Telemetry;
  readonly capabilities: ReadonlySet<Capability>;
  /**
   * Names with a meaning to the filesystem itself, such as that of snapshots. Never listed, counted, copied or
   * archived, and no client's path leads through them.
   */
  readonly reservedNames: readonly Buffer[];
  /** What the operator should know although the volume works, one sentence each: logged when the volume opens. */
  readonly warnings: readonly string[];
  /** Releases threads, connections and child processes; the volume takes no more calls. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * Drives one kind of filesystem. Nest creates one instance per backend; `open` is called for each
 * configured volume, again after a failure, and may be called again after `close`.
 */
export interface Backend<Options extends object = object> {
  /**
   * Checks that the world is as the volume needs it (mounted, right filesystem, reachable) and returns
   * its strategies. Rejects with StorageError `UNAVAILABLE` whose message names what was found and the remedy.
   */
  open(settings: VolumeSettings<Options>): Promise<VolumeStrategies>;
}

/** What a backend folder exports; `backend/index.ts` lists them. */
export interface BackendDescriptor<Options extends object = object> {
  /** Value of `backend` in the configuration. */
  readonly name: string;
  /** The injectable class. */
  readonly backend: new (...args: never[]) => Backend<Options>;
  /** Its volumes cannot be used without an agent, where the proxy is not privileged itself. */
  readonly needsAgent?: boolean;
  /** class-validator class of `[volume.<name>.options]`, with defaults. */
  readonly options: new () => Options;
}
