import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { AgentClient } from '../../../src/agent/client/agent-client.js';
import { Random, SEED } from '../random.js';
import { Attackers } from './attackers.js';
import { Canaries } from './canaries.js';
import { HostilePaths } from './paths.js';

const LANES = 8;
const VOLUME = 'local';
const FOLDER = 'folder';
const TENANT = 4321;

export interface AgentAssaultFigures {
  attempts: number;
  refused: number;
  swaps: number;
}

/** Requests of the agent, which is root, on paths in a directory whose owner is hostile. Returns what was violated. */
export async function assaultAgent(
  client: AgentClient,
  agent: { readonly directory: string; readonly volumePath: string },
  durationMs: number,
): Promise<{ figures: AgentAssaultFigures; violations: string[] }> {
  const figures = { attempts: 0, refused: 0, swaps: 0 };
  const random = new Random('agent assault');
  const paths = new HostilePaths(random);
  const folder = join(agent.volumePath, FOLDER);
  mkdirSync(folder);
  const canaries = new Canaries(join(agent.directory, 'outside'));
  const targets = [canaries.directory, relative(folder, canaries.directory), '..', '.~d0', 'b'];
  const attackers = Attackers.start(2, SEED, targets);
  try {
    await attackers.takeOn(folder);
    const deadline = Date.now() + durationMs;
    const lane = async (): Promise<void> => {
      while (Date.now() < deadline) {
        const path = Buffer.from(`${FOLDER}/${paths.any()}`);
        figures.attempts++;
        const request = random.chance(0.7)
          ? client.chown(VOLUME, path, TENANT, TENANT)
          : client.removeTree(VOLUME, path, { keepDirectory: random.chance(0.5) });
        // Most are: what they name is a link, or gone.
        await request.catch(() => figures.refused++);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    figures.swaps = await attackers.stop();
  } finally {
    attackers.kill();
  }
  return { figures, violations: canaries.disturbedInDepth() };
}
