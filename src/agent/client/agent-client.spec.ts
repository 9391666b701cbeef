import { once } from 'node:events';
import net from 'node:net';
import { configureLogging } from '../../observability/logger.js';
import { AgentRig } from '../testing/agent-rig.js';

let rig: AgentRig;

beforeEach(() => {
  configureLogging({ level: 'fatal' });
  rig = new AgentRig();
});
afterEach(() => rig.dispose());

const path = Buffer.from('dir');

describe('AgentClient', () => {
  it('waits for an agent that is about to start', async () => {
    const answer = rig.client().initialiseProject('vol', path, { hardBytes: 10, softBytes: null });
    await rig.serve();
    await expect(answer).resolves.toMatchObject({ projectId: 7, hardBytes: 10, softBytes: null });
  });

  it('makes a removal wait for no agent where there never was one, but for one that was there', async () => {
    const client = rig.client({ patienceMs: 3_600_000 });
    const check = client.checkVolume('vol');
    await expect(client.removeTree('vol', path)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const first = await rig.serve();
    await check;
    await rig.stop(first);
    const removal = client.removeTree('vol', path);
    await rig.serve();
    await removal;
  });

  it('says what to do when there is none, and tries again when it is asked again', async () => {
    const client = rig.client({ patienceMs: 0 });
    await expect(client.checkVolume('vol')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('storage-proxy agent') as string,
    });
    await rig.serve();
    await client.checkVolume('vol');
  });

  it('asks again what the agent had not answered when it was killed', async () => {
    rig.agent.before = () => new Promise(() => undefined);
    const first = await rig.serve();
    const client = rig.client();
    const answers = Promise.all([
      client.chown('vol', path, 1, 1),
      client.limitProject('vol', path, {}),
      client.removeTree('vol', path),
    ]);
    while (rig.agent.calls.length < 3) await new Promise(setImmediate);
    rig.agent.before = () => undefined;
    await rig.stop(first);
    await rig.serve();
    await answers;
    expect(rig.agent.calls).toHaveLength(6);
  });

  it('gives up what the agent says nothing about', async () => {
    rig.agent.before = () => new Promise(() => undefined);
    await rig.serve({ workingIntervalMs: 60_000 });
    await expect(rig.client({ silenceMs: 30 }).checkVolume('vol')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('has not answered') as string,
    });
  });

  it('waits on while the agent says that it works', async () => {
    let finish = (): void => undefined;
    rig.agent.before = () => new Promise<void>((resolve) => (finish = resolve));
    await rig.serve({ workingIntervalMs: 10 });
    const answer = rig.client({ silenceMs: 2_000 }).checkVolume('vol');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    finish();
    await answer;
  });

  it('refuses who does not speak the protocol', async () => {
    const server = net.createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    server.listen(rig.path);
    await once(server, 'listening');
    await expect(rig.client().checkVolume('vol')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    server.close();
  });

  it('does not ask for ever what ends the agent each time', async () => {
    let connections = 0;
    const server = net.createServer((socket) => {
      connections += 1;
      socket.once('data', () => socket.destroy());
    });
    server.listen(rig.path);
    await once(server, 'listening');
    await expect(rig.client().checkVolume('vol')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(connections).toBeLessThan(20);
    server.close();
  });

  it('stops waiting when its caller does', async () => {
    rig.agent.before = () => new Promise(() => undefined);
    await rig.serve();
    const controller = new AbortController();
    const removal = rig.client().removeTree('vol', path, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(removal).rejects.toThrow('enough');
  });
});
