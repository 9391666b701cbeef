import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { configureLogging } from '../../observability/logger.js';
import { AgentRig } from '../testing/agent-rig.js';
import { decodeFailure } from '../protocol/failure.js';
import { encodeFrame, FrameReader, type Frame } from '../protocol/frame.js';
import { StorageError } from '../../errors/storage-error.js';
import { admits } from './peer-policy.js';

let rig: AgentRig;
let lines: Record<string, unknown>[];

beforeEach(() => {
  rig = new AgentRig();
  lines = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  configureLogging({ level: 'info', format: 'json', destination: { write } });
});
afterEach(() => rig.dispose());

/** Sends raw bytes and collects what comes back until the agent hangs up. */
async function converse(bytes: Buffer): Promise<Frame[]> {
  const socket = net.connect(rig.path);
  const reader = new FrameReader();
  socket.on('data', (chunk) => reader.push(chunk));
  socket.write(bytes);
  await once(socket, 'close');
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame; frame = reader.next()) frames.push(frame);
  return frames;
}

describe('AgentServer', () => {
  it('carries requests out and logs each', async () => {
    await rig.serve();
    const client = rig.client();
    await client.chown('vol', Buffer.from('a/\xff', 'latin1'), 1, 2);
    await expect(client.describeProject('vol', Buffer.from('b'))).resolves.toBeNull();
    await client.removeTree('vol', Buffer.from('c'), { keepDirectory: true });
    expect(rig.agent.calls).toEqual(['chown 612fff 1:2', 'describe 62', 'remove 63']);
    expect(rig.agent.removals[0]?.options.keepDirectory).toBe(true);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({
      component: 'agent',
      request: 1,
      operation: 'chown',
      volume: 'vol',
      peer_uid: process.geteuid!(),
      peer_pid: process.pid,
      outcome: 'done',
    });
  });

  it('goes on with others while some fail, and hands each error to its asker', async () => {
    rig.agent.before = (call) => {
      if (call.endsWith('61')) throw new StorageError('UNAVAILABLE', 'no pquota');
      if (call.endsWith('62')) throw new TypeError('a defect');
    };
    await rig.serve();
    const client = rig.client();
    const [a, b, c] = await Promise.allSettled(
      ['a', 'b', 'c'].map((name) => client.releaseProject('vol', Buffer.from(name))),
    );
    expect(a).toMatchObject({ reason: { code: 'UNAVAILABLE', message: 'no pquota' } });
    expect(b).toMatchObject({ reason: { code: 'INTERNAL' } });
    expect(c).toMatchObject({ status: 'fulfilled' });
    const outcomes = new Set(lines.map(({ outcome }) => outcome));
    expect(outcomes).toEqual(new Set(['INTERNAL', 'UNAVAILABLE', 'done']));
  });

  it('refuses volumes that it does not have and paths that are not below one', async () => {
    await rig.serve();
    const client = rig.client();
    await expect(client.checkVolume('other')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    for (const path of ['../x', '/etc', '.', '', 'a/../b']) {
      const refused = client.removeTree('vol', Buffer.from(path));
      await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    expect(rig.agent.calls).toEqual([]);
  });

  it('refuses peers that may not use it, and says so', async () => {
    const uid = process.geteuid!();
    expect(admits({ uids: [7], gids: [] }, { pid: 1, uid: 7, gids: [] })).toBe(true);
    expect(admits({ uids: [7], gids: [8] }, { pid: 1, uid: 9, gids: [1, 8] })).toBe(true);
    expect(admits({ uids: [7], gids: [8] }, { pid: 1, uid: 8, gids: [7] })).toBe(false);
    expect(admits({ uids: [], gids: [] }, { pid: 1, uid: 0, gids: [] })).toBe(true);
    // Root is never refused; another user's process is started in the end-to-end suite.
    if (uid === 0) return;
    await rig.serve({ peers: { uids: [uid + 1], gids: [] } });
    await expect(rig.client().checkVolume('vol')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each([
    ['noise', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an answer', encodeFrame({ kind: 'result', id: 1, body: null })],
    ['request id 0', encodeFrame({ kind: 'request', id: 0, body: null })],
  ])('hangs up on %s, with the reason', async (_, bytes) => {
    await rig.serve();
    const [frame] = await converse(bytes);
    expect(frame).toMatchObject({ kind: 'failure', id: 0 });
    expect(decodeFailure(frame?.body)).toMatchObject({ code: 'INVALID_ARGUMENT' });
    await rig.client().checkVolume('vol');
  });

  it('takes no more requests of a peer than it may have in flight', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let running = 0;
    let most = 0;
    rig.agent.before = async () => {
      most = Math.max(most, ++running);
      await gate;
      running--;
    };
    await rig.serve({ maxInFlight: 3 });
    const client = rig.client();
    const answers = Array.from({ length: 50 }, () => client.checkVolume('vol'));
    const other = rig.client();
    const fourth = other.checkVolume('vol');
    while (rig.agent.calls.length < 4) await new Promise(setImmediate);
    release();
    await Promise.all([...answers, fourth]);
    // Three of the one, and one of the other.
    expect(most).toBe(4);
  });

  it('says that it works on what takes long, and stops a removal when its asker is gone', async () => {
    rig.agent.before = () =>
      new Promise((_, reject) => {
        const { signal } = rig.agent.removals.at(-1)!.options;
        signal!.addEventListener('abort', () => reject(signal!.reason as Error));
      });
    await rig.serve({ workingIntervalMs: 20 });
    const client = rig.client({ silenceMs: 2_000 });
    const removal = client.removeTree('vol', Buffer.from('a')).catch((error: Error) => error);
    while (rig.agent.removals.length === 0) await new Promise(setImmediate);
    const { signal } = rig.agent.removals[0]!.options;
    const stopped = once(signal!, 'abort');
    client.close();
    await stopped;
    expect(await removal).toMatchObject({ code: 'UNAVAILABLE' });
    while (lines.length === 0) await new Promise(setImmediate);
    expect(lines[0]).toMatchObject({ operation: 'remove-tree', outcome: 'abandoned' });
  });
});

describe("The agent's socket", () => {
  it('has its mode from the beginning, and goes when the agent stops', async () => {
    const server = await rig.serve();
    expect(fs.statSync(rig.path).mode & 0o777).toBe(0o600);
    await rig.stop(server);
    expect(fs.existsSync(rig.path)).toBe(false);
    expect(fs.readdirSync(rig.directory)).toEqual(['agent.sock.lock']);
  });

  it('takes the place of one that was left behind, but of no other file and of no living agent', async () => {
    fs.writeFileSync(rig.path, 'precious');
    await expect(rig.serve()).rejects.toThrow('no socket');
    expect(fs.readFileSync(rig.path, 'utf8')).toBe('precious');
    fs.rmSync(rig.path);
    fs.symlinkSync('/etc/passwd', rig.path);
    await expect(rig.serve()).rejects.toThrow('no socket');
    fs.rmSync(rig.path);

    const dead = net.createServer().listen(`${rig.path}.dead`);
    await once(dead, 'listening');
    fs.renameSync(`${rig.path}.dead`, rig.path);
    dead.close();
    await rig.serve();
    await rig.client().checkVolume('vol');
    await expect(rig.serve()).rejects.toThrow('another agent');
    await rig.client().checkVolume('vol');
  });

  it('is not made where others could replace it', async () => {
    fs.chmodSync(rig.directory, 0o777);
    await expect(rig.serve()).rejects.toThrow('may be written by others');
  });
});
