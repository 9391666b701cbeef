import { backends } from '../../backend/index.js';
import type { Settings } from '../../config/settings.js';
import { loggerFor } from '../../observability/logger.js';
import type { Identity } from '../primary/identity.js';
import type { AgentAccess } from './agent-access.js';
import { privateDoor } from './agent-accounts.js';
import { AgentSupervisor, type SupervisorOptions } from './agent-supervisor.js';
import { PrivateSocket } from './private-socket.js';

const log = loggerFor('primary');
const END_MS = 2_000;

/** Who does the privileged work of one `serve`: its workers themselves, an agent of its own, or one from elsewhere. */
export class AgentArrangement {
  readonly #socket: PrivateSocket | undefined;
  #supervisor: AgentSupervisor | undefined;

  constructor(
    private settings: Settings,
    private readonly identity: Identity,
    private readonly options: Pick<SupervisorOptions, 'entry' | 'isQuiet'>,
  ) {
    if (canRunAgent(settings, identity)) this.#socket = new PrivateSocket();
  }

  /** For the workers. */
  get access(): AgentAccess {
    if (this.#socket) return { kind: 'socket', path: this.#socket.path };
    if (workersAreRoot(this.identity)) return { kind: 'here' };
    return { kind: 'socket', path: this.settings.agent.socket };
  }

  /** Resolves when the agent listens, or could not start for now: only volumes that need it wait for that. */
  async start(): Promise<void> {
    if (!this.#socket || this.#supervisor || !isWanted(this.settings)) return;
    const door = privateDoor(this.#socket.path, this.identity);
    this.#supervisor = new AgentSupervisor(this.settings, { ...this.options, door });
    await this.#supervisor.start().catch((error: Error) => log.error(error.message));
  }

  /** Hands new volumes on; one of them may be the first that needs an agent. */
  update(settings: Settings): void {
    this.settings = settings;
    this.#supervisor?.update(settings);
    void this.start();
  }

  async end(): Promise<void> {
    await this.#supervisor?.end(END_MS);
    this.#socket?.remove();
  }
}

/** Only root can leave privileges behind, and only then is there somebody who lacks them. */
function canRunAgent({ agent }: Settings, identity: Identity): boolean {
  return process.geteuid?.() === 0 && !workersAreRoot(identity) && agent.start !== 'never';
}

function workersAreRoot(identity: Identity): boolean {
  return (identity.uid ?? process.geteuid?.()) === 0;
}

function isWanted({ agent, volumes }: Settings): boolean {
  const needing = new Set(backends.filter(({ needsAgent }) => needsAgent).map(({ name }) => name));
  return agent.start === 'always' || volumes.some(({ backend }) => needing.has(backend));
}
