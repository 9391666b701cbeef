import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/** Below the range of outgoing connections (ip_local_port_range), any of which could take a free port at any moment. */
const LOWEST = 12_000;
const BEYOND = 32_000;

/** Ports on loopback that nobody listens on, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  while (held.size < count) {
    const port = randomInt(LOWEST, BEYOND);
    const server = await listen(port);
    if (server) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => new Promise((done) => server.close(done))));
  return [...held.keys()];
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
