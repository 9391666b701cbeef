import { AgentServer } from '../../agent/server/agent-server.js';
import { LocalVolumeAgent } from '../../backend/xfs/local-volume-agent.js';
import { configureLogging, loggerFor, setLogLevel } from '../../observability/logger.js';
import { Bulkhead } from '../../volume/bulkhead.js';
import { Channel } from '../ipc/channel.js';
import { portOfPrimary } from '../ipc/ports.js';
import { assertPrimaryLives, endNow, obeyPrimary } from '../worker/self-care.js';
import type { AgentLinkToSupervisor, AgentOrders } from './protocol.js';

const log = loggerFor('agent');
const BRIEF_DEADLINE_MS = 30_000;
/** Requests of one connection that are worked on at the same time. */
const MAX_IN_FLIGHT = 64;
const WORKING_INTERVAL_MS = 5_000;

/**
 * The entry of the agent's process; `agent` and `serve` start it. It loads nothing that reads a configuration: clients
 * wait while it starts again.
 */
class AgentProcess {
  readonly #supervisor: AgentLinkToSupervisor = new Channel(portOfPrimary(process));
  readonly #agent = new LocalVolumeAgent();
  #shares: ReadonlyMap<string, Bulkhead> = new Map();
  #server: AgentServer | undefined;

  start(): void {
    obeyPrimary();
    process.title = 'storage-proxy: agent';
    process.on('uncaughtException', (error) => this.#fail(error));
    this.#supervisor.onNotice('update', (orders) => this.#serve(orders));
    this.#supervisor.onNotice('end', ({ timeoutMs }) => void this.#end(timeoutMs));
    this.#boot().catch((error: unknown) => this.#fail(error));
  }

  async #boot(): Promise<void> {
    const brief = await this.#supervisor.ask('brief', null, BRIEF_DEADLINE_MS);
    assertPrimaryLives(brief.supervisorPid);
    const { orders } = brief;
    configureLogging(orders.logging);
    this.#serve(orders);
    this.#server = new AgentServer({
      ...brief.door,
      agent: this.#agent,
      shareOf: (volume) => this.#shares.get(volume),
      deadlineMs: orders.deadlineMs,
      maxInFlight: MAX_IN_FLIGHT,
      workingIntervalMs: WORKING_INTERVAL_MS,
    });
    await this.#server.start();
    const { socket, peers } = brief.door;
    log.info('The agent listens', { socket: socket.path, uids: peers.uids, gids: peers.gids });
    this.#supervisor.tell('listening', null);
  }

  /** Takes over the volumes. A share is kept as long as its volume: what hangs in it is still counted. */
  #serve({ volumes, logging, slotsPerVolume }: AgentOrders): void {
    setLogLevel(logging.level);
    this.#shares = new Map(
      volumes.map(({ name }) => [
        name,
        this.#shares.get(name) ?? new Bulkhead(name, slotsPerVolume),
      ]),
    );
    this.#agent.serve(volumes);
  }

  async #end(timeoutMs: number): Promise<void> {
    await this.#server?.stop(timeoutMs);
    endNow();
  }

  #fail(error: unknown): void {
    log.fatal('The agent cannot go on', { err: error });
    this.#supervisor.tell('failed', {
      reason: error instanceof Error ? error.message : String(error),
    });
    endNow();
  }
}

new AgentProcess().start();
