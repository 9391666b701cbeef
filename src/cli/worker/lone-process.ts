import type { ProbeReport } from '../../health/probe/probe-report.js';
import { ProcessGroup, type VolumeState, type WorkerState } from '../../health/process-group.js';
import { renderMetrics, snapshotMetrics } from '../../observability/metrics.js';

/** The group of a process that has no primary and no siblings, and probes nothing: commands. */
export class LoneProcess extends ProcessGroup {
  async ping(): Promise<void> {
    // It is its own primary.
  }

  probes(): readonly ProbeReport[] {
    return [];
  }

  volumes(): readonly VolumeState[] {
    return [];
  }

  async workers(): Promise<readonly WorkerState[]> {
    return [{ worker: 1, volumes: [] }];
  }

  async metrics(): Promise<string> {
    return renderMetrics([await snapshotMetrics()]);
  }
}
