import fc from 'fast-check';
import { Counter, Histogram, Registry } from 'prom-client';
import { registry } from './metrics.js';
import { observeRequest, type RequestObservation } from './request-metrics.js';

const NAMES = ['backendai_api_request_duration_sec', 'backendai_api_request_count_total'] as const;

const observations: fc.Arbitrary<RequestObservation> = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  endpoint: fc.constantFrom('/jobs/:id', '/volumes', 'unmatched'),
  statusCode: fc.constantFrom(200, 404, 500),
  errorCode: fc.constantFrom(undefined, 'bgtask_read_not-found', 'volume_access'),
  seconds: fc.constantFrom(0, 0.0005, 0.001, 0.02, 0.3, 7, 3600, 5000),
});

/** The same by prom-client alone. */
async function countedPlainly(requests: readonly RequestObservation[]): Promise<string[]> {
  const registers = [new Registry()];
  const labelNames = ['method', 'endpoint', 'domain', 'operation', 'error_detail', 'status_code'];
  const buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 300, 3600];
  const [name, countName] = NAMES;
  const help = 'Seconds from the request line to the end of the answer';
  const durations = new Histogram({ name, help, labelNames, buckets, registers });
  const counter = new Counter({
    name: countName,
    help: 'Requests answered',
    labelNames,
    registers,
  });
  for (const { method, endpoint, statusCode, errorCode, seconds } of requests) {
    const [domain = '', operation = '', error_detail = ''] = errorCode?.split('_') ?? [];
    const status_code = String(statusCode);
    const labels = { method, endpoint, domain, operation, error_detail, status_code };
    durations.observe(labels, seconds);
    counter.inc(labels);
  }
  return await textsOf(registers[0]!);
}

function textsOf(from: Registry): Promise<string[]> {
  return Promise.all(NAMES.map((name) => from.getSingleMetricAsString(name)));
}

describe('observeRequest', () => {
  beforeEach(() => registry.resetMetrics());

  it('counts and measures as prom-client does with the same labels', async () => {
    const property = fc.asyncProperty(fc.array(observations), async (requests) => {
      registry.resetMetrics();
      requests.forEach(observeRequest);
      expect(await textsOf(registry)).toEqual(await countedPlainly(requests));
    });
    await fc.assert(property);
  });

  it('counts by route and error', async () => {
    const request = { method: 'GET', endpoint: '/jobs/:id', statusCode: 404, seconds: 0.02 };
    observeRequest({ ...request, errorCode: 'bgtask_read_not-found' });
    observeRequest({ ...request, statusCode: 200 });
    const text = await registry.metrics();
    expect(text).toContain(
      'backendai_api_request_count_total{method="GET",endpoint="/jobs/:id",domain="bgtask",operation="read",error_detail="not-found",status_code="404"} 1',
    );
    expect(text).toContain(
      'backendai_api_request_duration_sec_bucket{le="0.05",method="GET",endpoint="/jobs/:id",domain="",operation="",error_detail="",status_code="200"} 1',
    );
  });

  it('loses nothing when it is asked twice', async () => {
    observeRequest({ method: 'GET', endpoint: '/volumes', statusCode: 200, seconds: 0.02 });
    const [first, second] = [await registry.getMetricsAsJSON(), await registry.getMetricsAsJSON()];
    expect(second.filter(({ name }) => NAMES.includes(name as never))).toEqual(
      first.filter(({ name }) => NAMES.includes(name as never)),
    );
  });
});
