import type { ProbeReport } from '../../health/probe/probe-report.js';
import type { VolumeState, WorkerState } from '../../health/process-group.js';
import type { snapshotMetrics } from '../../observability/metrics.js';
import type { JsonValue } from '../../volume/worker-bus.js';
import type { AgentAccess } from '../agent/agent-access.js';
import type { Channel } from './channel.js';

/** One process's metrics, fit for a message. */
export type MetricsSnapshot = Awaited<ReturnType<typeof snapshotMetrics>>;

/** Certificate chain and key in PEM, read by the primary, which may be the only one allowed to. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

/** All that a worker needs to know, secrets included: over the pipe, never by environment or arguments. */
export interface WorkerBrief {
  readonly worker: number;
  /** The primary's process id, to notice if it died before we could watch it. */
  readonly primaryPid: number;
  /** From `settingsToJson`. */
  readonly settings: string;
  readonly tls: { readonly client: TlsMaterial | null; readonly manager: TlsMaterial | null };
  readonly probes: readonly ProbeReport[];
  /** Where the worker finds somebody privileged. */
  readonly agent: AgentAccess;
}

/** What may be changed in a running worker. */
export type WorkerUpdate = Pick<WorkerBrief, 'settings' | 'tls'>;

export interface BusMessage {
  readonly topic: string;
  readonly payload: JsonValue;
}

export interface WorkerSpeech {
  readonly notices: {
    /** Everything is open; requests are welcome. */
    readonly serving: null;
    /** The worker cannot start, for a reason that starting again would not mend. */
    readonly failed: { readonly reason: string };
    readonly bus: BusMessage;
  };
  readonly questions: {
    readonly brief: { readonly ask: null; readonly answer: WorkerBrief };
    readonly ping: { readonly ask: null; readonly answer: null };
    readonly groupMetrics: { readonly ask: null; readonly answer: MetricsSnapshot[] };
    readonly groupVolumes: { readonly ask: null; readonly answer: WorkerState[] };
  };
}

export interface PrimarySpeech {
  readonly notices: {
    readonly update: WorkerUpdate;
    readonly probe: ProbeReport;
    readonly bus: BusMessage;
    /** End politely: fail readiness, stop accepting after the delay, let transfers finish. */
    readonly drain: { readonly delayMs: number; readonly timeoutMs: number };
    /** End now. */
    readonly hurry: null;
  };
  readonly questions: {
    readonly ping: { readonly ask: null; readonly answer: null };
    readonly metrics: { readonly ask: null; readonly answer: MetricsSnapshot };
    readonly volumes: { readonly ask: null; readonly answer: VolumeState[] };
  };
}

/** The worker's end of the pipe. */
export type PrimaryLink = Channel<WorkerSpeech, PrimarySpeech>;
/** The primary's end of the pipe. */
export type WorkerLink = Channel<PrimarySpeech, WorkerSpeech>;
