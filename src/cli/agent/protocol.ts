import type { Channel } from '../ipc/channel.js';
import type { AgentDoor } from './agent-accounts.js';

/** All that an agent's process needs to know. */
export interface AgentBrief {
  readonly supervisorPid: number;
  /** From `settingsToJson`. */
  readonly settings: string;
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
    readonly update: { readonly settings: string };
    readonly end: { readonly timeoutMs: number };
  };
  readonly questions: Record<string, never>;
}

export type AgentLinkToSupervisor = Channel<AgentSpeech, SupervisorSpeech>;
export type SupervisorLink = Channel<SupervisorSpeech, AgentSpeech>;
