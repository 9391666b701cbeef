import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { peerCredentials } from './peer-credentials.js';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'peer-'));
const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

async function connected(server: net.Server, client: () => net.Socket) {
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const socket = client();
  await once(socket, 'connect');
  const [other] = await accepted;
  return { socket, other };
}

describe('peerCredentials', () => {
  it('tells both ends who the other is', async () => {
    const server = net.createServer().listen(path.join(directory, 'socket'));
    open.push(server);
    const { socket, other } = await connected(server, () =>
      net.connect(path.join(directory, 'socket')),
    );
    for (const end of [socket, other]) {
      const { pid, uid, gids } = peerCredentials(end);
      end.destroy();
      expect({ pid, uid }).toEqual({ pid: process.pid, uid: process.geteuid!() });
      const groups = spawnSync('id', ['-G'], { encoding: 'utf8' }).stdout.trim().split(' ');
      expect(new Set(gids)).toEqual(new Set(groups.map(Number)));
      expect(() => peerCredentials(end)).toThrow('not connected');
    }
  });

  it('throws for a TCP peer, for whom the kernel does not vouch', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    open.push(server);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { socket, other } = await connected(server, () => net.connect(port, '127.0.0.1'));
    expect(() => peerCredentials(other)).toThrow('getsockopt');
    socket.destroy();
    other.destroy();
  });
});
