import type { ProbeReport } from './probe/probe-report.js';

/** How a worker sees one of its volumes. */
export interface VolumeState {
  readonly volume: string;
  readonly usable: boolean;
  /** Why it is not usable, for an operator. */
  readonly reason: string | null;
  /** What is wrong with its hardware although it is usable, for an operator. */
  readonly trouble?: string | null;
}

/** What one worker of the group says of its volumes; `volumes` is null when it did not answer in time. */
export interface WorkerState {
  readonly worker: number;
  readonly volumes: readonly VolumeState[] | null;
}

/** A worker's view of the processes it works with. Also the injection token. */
export abstract class ProcessGroup {
  /** Rejects when the primary does not answer. */
  abstract ping(): Promise<void>;
  /** The last outcome of each probed volume, as relayed by the primary; known locally. */
  abstract probes(): readonly ProbeReport[];
  /** This worker's own volumes. */
  abstract volumes(): readonly VolumeState[];
  /** Asks every worker, itself included. Rejects when the primary does not answer. */
  abstract workers(): Promise<readonly WorkerState[]>;
  /** Prometheus text of the whole group. Rejects when the primary does not answer. */
  abstract metrics(): Promise<string>;
}
