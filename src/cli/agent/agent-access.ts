import { AgentClient } from '../../agent/client/agent-client.js';
import type { VolumeSettings } from '../../backend/contract/backend.js';
import type { AbstractVolumeAgent } from '../../backend/contract/volume-agent.js';
import { LocalVolumeAgent } from '../../backend/xfs/local-volume-agent.js';
import type { Settings } from '../../config/settings.js';

/** Where a process finds somebody privileged: in itself, or behind a socket. */
export type AgentAccess =
  { readonly kind: 'here' } | { readonly kind: 'socket'; readonly path: string };

/** The agent, as a process has it. */
export interface OpenAgent {
  readonly agent: AbstractVolumeAgent;
  /** Takes over a new list of volumes. */
  serve(volumes: readonly VolumeSettings[]): void;
  close(): void;
}

/** For a process that was told nothing: root needs nobody, anybody else the agent of a service manager. */
export function ownAccess({ agent }: Settings): AgentAccess {
  return process.geteuid?.() === 0 ? { kind: 'here' } : { kind: 'socket', path: agent.socket };
}

export function openAgent(access: AgentAccess, volumes: readonly VolumeSettings[]): OpenAgent {
  if (access.kind === 'here') {
    const agent = new LocalVolumeAgent(volumes);
    return { agent, serve: (changed) => agent.serve(changed), close: () => undefined };
  }
  const agent = new AgentClient({ socket: access.path });
  // The agent reads its own configuration.
  return { agent, serve: () => undefined, close: () => agent.close() };
}
