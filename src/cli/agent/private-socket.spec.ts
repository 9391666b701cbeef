import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PrivateSocket } from './private-socket.js';

describe('PrivateSocket', () => {
  let run: string;
  beforeEach(() => {
    run = fs.mkdtempSync(path.join(os.tmpdir(), 'run-'));
  });
  afterEach(() => fs.rmSync(run, { recursive: true, force: true }));

  it('removes what a killed process left, and neither what one in use has nor what is not its own', () => {
    const left = path.join(run, 'storage-proxy-serve-a1B2c3');
    fs.mkdirSync(left);
    fs.writeFileSync(path.join(left, 'agent.sock.lock'), '');
    const others = ['storage-proxy', 'storage-proxy-projects', 'storage-proxy-serve-elsewhere'];
    for (const name of others) fs.mkdirSync(path.join(run, name));

    const first = new PrivateSocket(run);
    const second = new PrivateSocket(run);

    const mine = [first, second].map(({ path: socket }) => path.basename(path.dirname(socket)));
    expect(fs.readdirSync(run).toSorted()).toEqual([...others, ...mine].toSorted());
    first.remove();
    second.remove();
    expect(fs.readdirSync(run).toSorted()).toEqual(others.toSorted());
  });

  it('makes another one when a process that starts takes the new one for one that was left', () => {
    const chmod = jest.spyOn(fs, 'chmodSync').mockImplementationOnce((directory) => {
      chmod.mockRestore();
      fs.rmdirSync(directory);
      fs.chmodSync(directory, 0o711);
    });
    const socket = new PrivateSocket(run);
    expect(fs.readdirSync(run)).toEqual([path.basename(path.dirname(socket.path))]);
    socket.remove();
  });

  it('lets others pass to the socket, and not look around or hold its lock', () => {
    const socket = new PrivateSocket(run);
    expect(fs.statSync(path.dirname(socket.path)).mode & 0o777).toBe(0o711);
    socket.remove();
  });
});
