import { send } from '../support/http.js';
import { AUTH_HEADER } from '../support/manager-client.js';
import { expectProblem } from '../support/problem.js';
import { Proxy } from '../support/proxy.js';

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.start();
});

afterAll(() => proxy.stop());

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/) as string;

interface Check {
  readonly component_id: string;
}

describe.each(['manager', 'internal'] as const)('on the %s listener', (listener) => {
  const ask = (path: string) =>
    send('GET', `${listener === 'manager' ? proxy.manager.origin : proxy.internalOrigin}${path}`);

  it('/health is always 200, and names the volume that is away', async () => {
    const { status, json } = await ask('/health');
    const connectivity = json['connectivity'] as { connectivity_checks: Check[] };
    const checks = connectivity.connectivity_checks;
    expect({ status, json }).toMatchObject({
      status: 200,
      json: {
        status: 'degraded',
        version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
        component: 'storage-proxy',
        connectivity: { overall_healthy: false, timestamp: TIME },
      },
    });
    expect(Object.keys(json).toSorted()).toEqual([
      'component',
      'connectivity',
      'status',
      'version',
    ]);
    const check = (component_id: string, is_healthy: boolean): object => ({
      service_group: 'volume',
      component_id,
      is_healthy,
      last_checked_at: TIME,
      error_message: is_healthy ? null : expect.any(String),
    });
    const volumes = checks
      .filter((entry) => ['local', 'other', 'missing'].includes(entry.component_id))
      .toSorted((a, b) => a.component_id.localeCompare(b.component_id));
    expect(volumes).toEqual([check('local', true), check('missing', false), check('other', true)]);
  });

  it.each(['/livez', '/readyz'])('%s does not mind one sick volume', async (path) => {
    const { status, json } = await ask(path);
    expect({ status, json }).toMatchObject({
      status: 200,
      json: { status: 'ok', component: 'storage-proxy' },
    });
  });
});

describe('the internal listener', () => {
  it('has metrics for Prometheus', async () => {
    await proxy.manager.call('GET', '/volumes');
    const answer = await send('GET', `${proxy.internalOrigin}/metrics`);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/plain; .*charset=utf-8$/);
    expect(answer.text).toMatch(
      /^backendai_api_request_count_total\{[^}]*endpoint="\/volumes"[^}]*\} \d+$/m,
    );
    expect(answer.text).toMatch(/^backendai_api_request_duration_sec_bucket\{/m);
  });

  it('has nothing else, and no metrics are elsewhere', async () => {
    expectProblem(await send('GET', `${proxy.internalOrigin}/volumes`), 404);
    expectProblem(await proxy.manager.call('GET', '/metrics'), 404);
    expect((await send('GET', `${proxy.clientOrigin}/metrics`)).status).toBe(404);
  });

  it('tells no secret', async () => {
    await send('GET', `${proxy.manager.origin}/volumes`, { [AUTH_HEADER]: 'guess-of-a-secret' });
    await proxy.manager.call('GET', '/volumes');
    const answer = await send('GET', `${proxy.internalOrigin}/metrics`);
    for (const text of [answer.text, proxy.output]) {
      expect(text).not.toContain(proxy.secret);
      expect(text).not.toContain('guess-of-a-secret');
    }
  });
});
