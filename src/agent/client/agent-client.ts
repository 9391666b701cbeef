import {
  AbstractVolumeAgent,
  type ProjectLimits,
  type ProjectStatus,
  type RemoveTreeOptions,
} from '../../backend/contract/volume-agent.js';
import { AgentConversation, type AgentClientOptions } from './agent-conversation.js';

/** The agent, seen from a process that is not privileged: each method is a request over its socket. */
export class AgentClient extends AbstractVolumeAgent {
  readonly #agent: AgentConversation;

  constructor(options: AgentClientOptions) {
    super();
    this.#agent = new AgentConversation(options);
  }

  checkVolume(volume: string): Promise<void> {
    return this.#agent.ask('check-volume', { volume });
  }

  initialiseProject(volume: string, path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    return this.#agent.ask('initialise-project', { volume, path, limits });
  }

  describeProject(volume: string, path: Buffer): Promise<ProjectStatus | null> {
    return this.#agent.ask('describe-project', { volume, path });
  }

  limitProject(volume: string, path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    return this.#agent.ask('limit-project', { volume, path, limits });
  }

  releaseProject(volume: string, path: Buffer): Promise<void> {
    return this.#agent.ask('release-project', { volume, path });
  }

  chown(volume: string, path: Buffer, uid: number, gid: number): Promise<void> {
    return this.#agent.ask('chown', { volume, path, uid, gid });
  }

  /** An aborted `signal` ends the waiting; the agent goes on, which is what it would do when asked again. */
  removeTree(
    volume: string,
    path: Buffer,
    { keepDirectory = false, signal }: RemoveTreeOptions = {},
  ): Promise<void> {
    return this.#agent.ask('remove-tree', { volume, path, keepDirectory }, signal);
  }

  /** Ends the connection; what is unanswered is rejected with UNAVAILABLE. */
  close(): void {
    this.#agent.close();
  }
}
