import { renameSync } from 'node:fs';
import { send } from '../support/http.js';
import { canHang, hangDirectory, type HungMount } from '../support/hung-mount.js';
import { childrenOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';

const VFID = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
if (!canHang())
  process.stderr.write('SKIPPED: tests with a hung mount, which need root and FUSE\n');

// Each of them starts processes, which takes long on a busy machine.
jest.setTimeout(180_000);

interface Check {
  readonly service_group: string;
  readonly component_id: string;
  readonly is_healthy: boolean;
  readonly last_checked_at: string;
  readonly error_message: string | null;
}

interface Health {
  readonly status: string;
  readonly version: string;
  readonly component: string;
  readonly connectivity: {
    readonly overall_healthy: boolean;
    readonly connectivity_checks: readonly Check[];
    readonly timestamp: string;
  };
}

async function ask(url: string): Promise<{ status: number; body: Health }> {
  const { status, json } = await send('GET', url);
  return { status, body: json as unknown as Health };
}

const volumeChecks = ({ connectivity }: Health): Record<string, boolean> =>
  Object.fromEntries(
    connectivity.connectivity_checks
      .filter(({ service_group }) => service_group === 'volume')
      .map(({ component_id, is_healthy }) => [component_id, is_healthy]),
  );

describe('health', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({ config: { 'storage-proxy': { 'num-proc': 2 } } });
  });
  afterAll(() => server?.stop());

  it.each(['manager', 'internal'] as const)(
    'is told by the %s listener to anybody',
    async (plane) => {
      const base = plane === 'manager' ? server.managerUrl : server.internalUrl;
      for (const path of ['/health', '/livez', '/readyz']) {
        const { status, body } = await ask(`${base}${path}`);
        expect({ path, status, told: body.status }).toEqual({ path, status: 200, told: 'ok' });
      }
    },
  );

  it('has the body of Backend.AI components, with a check for each volume and process', async () => {
    const { body } = await ask(`${server.internalUrl}/health`);
    expect(body).toMatchObject({
      component: 'storage-proxy',
      connectivity: { overall_healthy: true },
    });
    expect(body.version).toMatch(/^\d+\.\d+\.\d+/);
    const { connectivity_checks: checks, timestamp } = body.connectivity;
    expect(
      checks.map((check) => `${check.service_group} ${check.component_id}`).toSorted(),
    ).toEqual([
      'process primary',
      'process worker-1',
      'process worker-2',
      'redis valkey',
      'volume local',
    ]);
    for (const time of [timestamp, ...checks.map((check) => check.last_checked_at)]) {
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
  });

  it('fails readiness, and nothing else, while no volume is usable', async () => {
    const away = `${server.volumePath()}-away`;
    renameSync(server.volumePath(), away);
    await server.until('readiness to fail', async () => {
      const { status, body } = await ask(`${server.internalUrl}/readyz`);
      if (status === 503) expect(body.status).toBe('error');
      return status === 503;
    });
    const health = await ask(`${server.internalUrl}/health`);
    expect(health).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect(volumeChecks(health.body)).toEqual({ local: false });
    expect((await ask(`${server.internalUrl}/livez`)).status).toBe(200);
    await server.until('every worker to know', async () => {
      const answers = await Promise.all([1, 2, 3, 4].map(() => server.manager('GET', '/volumes')));
      return answers.every(({ text }) => text === '{"volumes":[]}');
    });

    renameSync(away, server.volumePath());
    await server.until(
      'readiness to return',
      async () => (await ask(`${server.internalUrl}/readyz`)).status === 200,
      90_000,
    );
  });

  it('tells of a worker that does not react', async () => {
    const worker = childrenOf(server.pid).find(({ title }) => title.endsWith('worker 2'));
    process.kill(worker!.pid, 'SIGSTOP');
    try {
      await server.until('the worker to be noticed', async () => {
        const answer = await askQuickly(`${server.internalUrl}/health`);
        const check = answer?.connectivity.connectivity_checks.find(
          ({ component_id }) => component_id === 'worker-2',
        );
        return check?.is_healthy === false;
      });
    } finally {
      process.kill(worker!.pid, 'SIGCONT');
    }
  });
});

/** A connection may be given to the very worker that is stopped. */
async function askQuickly(url: string): Promise<Health | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(4_000) });
    return (await response.json()) as Health;
  } catch {
    return undefined;
  }
}

(canHang() ? describe : describe.skip)('a volume that hangs', () => {
  let server: TestServer;
  let hung: HungMount | undefined;

  beforeAll(async () => {
    server = await TestServer.start({
      volumes: ['local', 'sick'],
      config: { limits: { 'operation-timeout': '3s' }, server: { 'shutdown-timeout': '2s' } },
    });
  });
  afterAll(async () => {
    await hung?.release();
    await server?.stop();
  });

  it('is named by /health and /readyz, while the process stays alive and ready', async () => {
    hung = await hangDirectory(server.volumePath('sick'));
    await server.until('the volume to be noticed', async () => {
      const { status, body } = await ask(`${server.internalUrl}/health`);
      expect(status).toBe(200);
      return volumeChecks(body)['sick'] === false;
    });
    const { status, body } = await ask(`${server.internalUrl}/readyz`);
    expect({ status, checks: volumeChecks(body) }).toEqual({
      status: 200,
      checks: { local: true, sick: false },
    });
    const message = body.connectivity.connectivity_checks.find(
      ({ component_id }) => component_id === 'sick',
    )?.error_message;
    expect(message).toContain('did not answer within 1 s');
    expect((await ask(`${server.internalUrl}/livez`)).status).toBe(200);
  });

  it('is refused at once, while the others are served', async () => {
    const refused = await server.manager('POST', '/folder/create', { volume: 'sick', vfid: VFID });
    expect(refused.status).toBe(503);
    expect(refused.text).not.toContain(server.directory);
    const served = await server.manager('POST', '/folder/create', { volume: 'local', vfid: VFID });
    expect(served.status).toBe(204);
    const { json } = await server.manager('GET', '/volumes');
    expect(json['volumes']).toMatchObject([{ name: 'local' }]);
  });

  it('comes back when the mount answers again', async () => {
    await hung?.release();
    hung = undefined;
    await server.until(
      'the volume to be healthy',
      async () => {
        const { body } = await ask(`${server.internalUrl}/health`);
        return body.status === 'ok';
      },
      90_000,
    );
    const created = await server.manager('POST', '/folder/create', { volume: 'sick', vfid: VFID });
    expect(created.status).toBe(204);
  });

  it('does not keep the process from starting', async () => {
    server.signal('SIGTERM');
    await server.ended();
    hung = await hangDirectory(server.volumePath('sick'));
    await server.launch();
    const { status, body } = await ask(`${server.internalUrl}/readyz`);
    expect({ status, sick: volumeChecks(body)['sick'] }).toEqual({ status: 200, sick: false });
    await hung.release();
  });

  it('does not keep the process from ending', async () => {
    hung = await hangDirectory(server.volumePath('sick'));
    // Several calls that nobody will ever answer.
    const lost = [1, 2, 3].map(() =>
      server.manager('GET', '/folder/usage', { volume: 'sick', vfid: VFID }).catch(() => undefined),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    server.signal('SIGTERM');
    await expect(server.ended()).resolves.toEqual({ code: 0, signal: null });
    await Promise.all(lost);
  });
});
