import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AgentClient } from '../client/agent-client.js';
import type { AgentClientOptions } from '../client/agent-conversation.js';
import { AgentServer, type AgentServerOptions } from '../server/agent-server.js';
import type { VolumeShare } from '../server/session.js';
import { MemoryAgent } from './memory-agent.js';

const unlimited: VolumeShare = { run: (_operation, work) => work() };

/** An agent's socket in a directory of its own, with servers and clients that go away with it. */
export class AgentRig {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'agent-'));
  readonly path = path.join(this.directory, 'agent.sock');
  readonly agent = new MemoryAgent();
  readonly #clients: AgentClient[] = [];
  readonly #servers = new Set<AgentServer>();

  async serve(options: Partial<AgentServerOptions> = {}): Promise<AgentServer> {
    const server = new AgentServer({
      socket: { path: this.path, uid: process.geteuid!(), gid: process.getegid!(), mode: 0o600 },
      peers: { uids: [process.geteuid!()], gids: [] },
      agent: this.agent,
      shareOf: (volume) => (volume === 'vol' ? unlimited : undefined),
      deadlineMs: 10_000,
      maxInFlight: 8,
      workingIntervalMs: 1_000,
      ...options,
    });
    await server.start();
    this.#servers.add(server);
    return server;
  }

  async stop(server: AgentServer): Promise<void> {
    this.#servers.delete(server);
    await server.stop(0);
  }

  client(options: Partial<AgentClientOptions> = {}): AgentClient {
    const client = new AgentClient({ socket: this.path, patienceMs: 5_000, ...options });
    this.#clients.push(client);
    return client;
  }

  async dispose(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const server of this.#servers) await server.stop(0);
    fs.rmSync(this.directory, { recursive: true });
  }
}
