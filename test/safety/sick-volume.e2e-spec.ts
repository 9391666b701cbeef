import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { newVFolderId } from '../support/ids.js';
import { childrenOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';
import { canStopAnswering, mountStopping, type StoppingMount } from '../support/stopping-mount.js';
import { send } from '../support/http.js';
import { jsonOf, Wire, type Outcome } from '../torture/wire.js';

if (!canStopAnswering()) {
  process.stderr.write('SKIPPED: the volume that hangs, which needs root, FUSE and bindfs\n');
}

const STUCK = 200;
const SERVED = 300;
const POOL = 16;
const MIB = 1024 * 1024;
/** What 200 requests that wait may cost. */
const MEMORY_BOUND = 96 * MIB;

const workersOf = ({ pid }: TestServer): number[] =>
  childrenOf(pid)
    .filter(({ title }) => /worker \d+$/.test(title))
    .map((worker) => worker.pid);

interface Metrics {
  readonly inFlight: number;
  readonly waiting: number;
  readonly refused: number;
}

(canStopAnswering() ? describe : describe.skip)('a volume that hangs under 200 requests', () => {
  let server: TestServer;
  let wire: Wire;
  let mount: StoppingMount | undefined;
  let stuck: Promise<Outcome[]>;
  let workers: number[];
  let residentBefore: number;
  const folders: Record<string, { volume: string; vfid: string }> = {};

  beforeAll(async () => {
    server = await TestServer.prepare({
      volumes: ['well', 'sick'],
      config: {
        // The probe must not be faster than the requests: they shall get stuck.
        health: { 'probe-interval': '3s', 'probe-timeout': '3s' },
        limits: { 'operation-timeout': '12s', 'usage-timeout': '12s' },
        server: { 'thread-pool-size': POOL, 'shutdown-timeout': '2s' },
      },
    });
    const behind = join(server.directory, 'behind');
    renameSync(server.volumePath('sick'), behind);
    mount = await mountStopping(behind, server.volumePath('sick'));
    await server.launch();
    wire = new Wire(server, { sockets: STUCK + 100 });
    workers = workersOf(server);
    for (const volume of ['well', 'sick']) {
      folders[volume] = { volume, vfid: newVFolderId('scoped') };
      await wire.manager('POST', '/folder/create', folders[volume]);
    }
    residentBefore = await resident();
    mount.stop();
    stuck = Promise.all(
      Array.from({ length: STUCK }, (_, index) => requestTo(folders['sick']!, index)),
    );
    await server.until('them to be stuck', async () => (await metrics('sick')).inFlight > 0);
  });
  afterAll(async () => {
    await mount?.unmount();
    wire?.close();
    await server?.stop();
  });

  /** Each of these looks at the volume. */
  function requestTo(folder: { volume: string; vfid: string }, index: number): Promise<Outcome> {
    const relpath = `made-${index}`;
    const kinds = [
      () => wire.manager('POST', '/folder/file/list', { ...folder, relpath: '.' }),
      () => wire.manager('POST', '/folder/file/mkdir', { ...folder, relpath, exist_ok: true }),
      () => wire.manager('GET', '/folder/usage', folder),
      () => wire.manager('POST', '/folder/file/upload', { ...folder, relpath, size: 10 }),
    ];
    return kinds[index % kinds.length]!();
  }

  async function values(name: string): Promise<{ labels: string; value: number }[]> {
    const { text } = await send('GET', `${server.internalUrl}/metrics`);
    const lines = text.split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line));
    return lines.map((line) => ({ labels: line, value: Number(line.split(' ').at(-1)) }));
  }

  async function metrics(volume: string): Promise<Metrics> {
    const of = async (name: string): Promise<number> => {
      const found = await values(`backendai_storage_bulkhead_${name}`);
      return found.find(({ labels }) => labels.includes(`"${volume}"`))?.value ?? 0;
    };
    return {
      inFlight: await of('in_flight'),
      waiting: await of('waiting'),
      refused: await of('refused_total'),
    };
  }

  async function resident(): Promise<number> {
    const found = await values('process_resident_memory_bytes');
    return found.reduce((sum, { value }) => sum + value, 0);
  }

  it('takes no more than its share of the threads', async () => {
    const { inFlight } = await metrics('sick');
    expect(inFlight).toBeGreaterThan(0);
    expect(inFlight).toBeLessThanOrEqual(POOL / 2);
  });

  it('leaves the other volume served, without a queue', async () => {
    const before = await metrics('well');
    for (let index = 0; index < SERVED; index += 10) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, more) => requestTo(folders['well']!, index + more)),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    }
    expect(await metrics('well')).toEqual({ inFlight: 0, waiting: 0, refused: before.refused });
  });

  it('does not stop the event loop, the liveness, or the memory from being as they were', async () => {
    const [lag] = await values('nodejs_eventloop_lag_p50_seconds');
    expect(lag!.value).toBeLessThan(0.25);
    expect((await send('GET', `${server.internalUrl}/livez`)).status).toBe(200);
    expect((await resident()) - residentBefore).toBeLessThan(MEMORY_BOUND);
  });

  it('answers those who wait, and names itself', async () => {
    for (const outcome of await stuck) {
      expect(outcome).toMatchObject({ status: 503, hung: false });
      expect(String(jsonOf(outcome)['msg'])).toContain('"sick"');
    }
    await server.until('/health to name it', async () => {
      const { text } = await send('GET', `${server.internalUrl}/health`);
      const { connectivity } = JSON.parse(text) as {
        connectivity: { connectivity_checks: { component_id: string; is_healthy: boolean }[] };
      };
      const sick = connectivity.connectivity_checks.filter(({ is_healthy: well }) => !well);
      return sick.length === 1 && sick[0]!.component_id === 'sick';
    });
    // Now it is known to hang: nobody waits for it any more.
    const { inFlight, waiting } = await metrics('sick');
    expect(inFlight).toBeLessThanOrEqual(POOL / 2);
    expect(waiting).toBe(0);
  });

  it('recovers by itself, with the same workers', async () => {
    mount!.goOn();
    await server.until(
      'it to be served again',
      async () => (await requestTo(folders['sick']!, 1)).status === 200,
      90_000,
    );
    await server.until('all slots to be free', async () => (await metrics('sick')).inFlight === 0);
    const now = workersOf(server);
    expect(now).toEqual(expect.arrayContaining(workers));
    const restarts = await values('backendai_storage_worker_restarts_total');
    expect(restarts.reduce((sum, { value }) => sum + value, 0)).toBe(0);
  });
});
