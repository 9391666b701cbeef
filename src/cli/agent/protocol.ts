import type { VolumeSettings } from '../../backend/contract/backend.js';
import type { LoggingOptions } from '../../observability/logger.js';
import type { Channel } from '../ipc/channel.js';
import type { AgentDoor } from './agent-accounts.js';

/** The part of the configuration that an agent goes by. */
export interface AgentOrders {
  /** With the options of those that have projects. */
  readonly volumes: readonly VolumeSettings[];
  readonly logging: Pick<LoggingOptions, 'level' | 'format' | 'colored'>;
  /** How much of its thread pool one volume may occupy. */
  readonly slotsPerVolume: number;
  /** Of everything but the removal of trees. */
  readonly deadlineMs: number;
}

/** All that an agent's process needs to know. */
export interface AgentBrief {
  readonly supervisorPid: number;
  readonly orders: AgentOrders;
  readonly door: AgentDoor;
}

/** What the agent's process says. */
export interface AgentSpeech {
  readonly notices: {
    readonly listening: null;
    /** It cannot start. */
    readonly failed: { readonly reason: string };
  };
  readonly questions: {
    readonly brief: { readonly ask: null; readonly answer: AgentBrief };
  };
}

/** What its supervisor says. */
export interface SupervisorSpeech {
  readonly notices: {
    readonly update: AgentOrders;
    readonly end: { readonly timeoutMs: number };
  };
  readonly questions: Record<string, never>;
}

export type AgentLinkToSupervisor = Channel<AgentSpeech, SupervisorSpeech>;
export type SupervisorLink = Channel<SupervisorSpeech, AgentSpeech>;
