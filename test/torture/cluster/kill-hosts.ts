import { setTimeout as sleep } from 'node:timers/promises';
import type { TestServer } from '../../support/server.js';
import type { Random } from '../random.js';

/** Every server is killed at least this often, however short the time. */
const LEAST = 1;

/**
 * Kills one whole server after another, at moments and in an order that `random` decides, and starts it again; one
 * always lives. Resolves, with how often each was killed, when the time is over and all of them serve.
 */
export async function killHosts(
  servers: readonly TestServer[],
  random: Random,
  durationMs: number,
): Promise<number[]> {
  const kills = servers.map(() => 0);
  const deadline = Date.now() + durationMs;
  while (Date.now() < deadline || kills.some((count) => count < LEAST)) {
    await sleep(random.between(200, 2_500));
    const spared = kills.findIndex((count) => count < LEAST);
    const index =
      spared >= 0 && Date.now() >= deadline ? spared : random.between(0, servers.length - 1);
    const server = servers[index]!;
    await server.crash();
    kills[index]!++;
    // Sometimes the other has all requests for a while, sometimes it is back before anybody notices.
    if (random.chance(0.5)) await sleep(random.between(0, 3_000));
    await server.launch();
  }
  return kills;
}
