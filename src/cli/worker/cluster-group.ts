import type { ProbeReport } from '../../health/probe/probe-report.js';
import { ProcessGroup, type VolumeState, type WorkerState } from '../../health/process-group.js';
import { renderMetrics } from '../../observability/metrics.js';
import type { PrimaryLink } from '../ipc/protocol.js';

const PING_DEADLINE_MS = 2_000;
/** More than the primary gives each worker. */
const GROUP_DEADLINE_MS = 3_000;

/** The process group as a worker sees it: what is relayed to it, and what the primary answers. */
export class ClusterGroup extends ProcessGroup {
  readonly #probes = new Map<string, ProbeReport>();

  constructor(
    private readonly primary: PrimaryLink,
    private readonly ownVolumes: () => readonly VolumeState[],
  ) {
    super();
  }

  /** Takes a probe's outcome in, as the primary relays it. */
  probed(report: ProbeReport): void {
    this.#probes.set(report.volume, report);
  }

  async ping(): Promise<void> {
    await this.primary.ask('ping', null, PING_DEADLINE_MS);
  }

  probes(): readonly ProbeReport[] {
    const configured = new Set(this.ownVolumes().map(({ volume }) => volume));
    return [...this.#probes.values()].filter(({ volume }) => configured.has(volume));
  }

  volumes(): readonly VolumeState[] {
    return this.ownVolumes();
  }

  workers(): Promise<readonly WorkerState[]> {
    return this.primary.ask('groupVolumes', null, GROUP_DEADLINE_MS);
  }

  async metrics(): Promise<string> {
    return renderMetrics(await this.primary.ask('groupMetrics', null, GROUP_DEADLINE_MS));
  }
}
