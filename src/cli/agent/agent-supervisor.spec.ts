import { configureLogging } from '../../observability/logger.js';
import type { Settings } from '../../config/settings.js';
import { AgentSupervisor } from './agent-supervisor.js';

describe('AgentSupervisor', () => {
  it('says why no process could be made, instead of waiting for the end of none', async () => {
    configureLogging({ level: 'fatal' });
    const supervisor = new AgentSupervisor({ server: { threadPoolSize: 4 } } as Settings, {
      entry: '/nowhere/agent.js',
      program: '/nowhere/node',
      door: {
        socket: { path: '/nowhere/agent.sock', uid: 0, gid: 0, mode: 0o600 },
        peers: { uids: [], gids: [] },
      },
    });
    await expect(supervisor.start()).rejects.toThrow('spawn /nowhere/node ENOENT');
    await supervisor.end(0);
  });
});
