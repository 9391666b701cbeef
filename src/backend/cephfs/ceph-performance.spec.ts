import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CephPerformance } from './ceph-performance.js';

/** As the manager's `prometheus` module writes it. */
const metrics = (reads: number, latency: number): string => `
# HELP ceph_pool_metadata POOL Metadata
# TYPE ceph_pool_metadata untyped
ceph_pool_metadata{pool_id="1",name="meta",type="replicated",description="replica:1",compression_mode="none"} 1.0
ceph_pool_metadata{pool_id="2",name="data",type="replicated",description="replica:1",compression_mode="none"} 1.0
ceph_pool_rd{pool_id="1"} 900.0
ceph_pool_rd{pool_id="2"} ${reads}.0
ceph_pool_wr{pool_id="2"} 1.2e+03
ceph_pool_rd_bytes{pool_id="2"} ${reads * 4096}
ceph_pool_wr_bytes{pool_id="2"} NaN
ceph_osd_op_r_latency_sum{ceph_daemon="osd.0"} ${latency}
ceph_osd_op_r_latency_count{ceph_daemon="osd.0"} ${reads}.0
ceph_health_status 0.0
`;

describe('CephPerformance', () => {
  let server: Server;
  let answer: string;
  let status = 200;
  let nowMs: number;
  const measured = (pools = ['data']): CephPerformance =>
    new CephPerformance(
      {
        volume: 'fast',
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
        timeoutMs: 5_000,
        pools,
      },
      () => nowMs,
    );

  beforeEach(async () => {
    nowMs = 0;
    status = 200;
    answer = metrics(100, 1);
    server = createServer((_, reply) => reply.writeHead(status).end(answer));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it('tells rates of the volume’s pools between two readings', async () => {
    const performance = measured();
    nowMs = 0;
    const first = performance.measure();
    await first;
    nowMs = 10_000;
    answer = metrics(300, 1.5);
    expect(await performance.measure()).toEqual({
      iopsRead: 20,
      iopsWrite: 0,
      ioBytesRead: 20 * 4096,
      ioBytesWrite: 0,
      ioUsecRead: 2_500,
      ioUsecWrite: 0,
    });
  });

  it('takes counters that went back for started anew', async () => {
    const performance = measured();
    await performance.measure();
    nowMs = 10_000;
    answer = metrics(3, 0.1);
    expect(await performance.measure()).toMatchObject({ iopsRead: 0, ioUsecRead: 0 });
  });

  it('names the pools that the metrics do not know', async () => {
    await expect(measured(['cold']).measure()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('cold') as unknown,
    });
  });

  it('keeps the address to the log when it cannot be read', async () => {
    status = 503;
    const failure = (await measured()
      .measure()
      .catch((error: unknown) => error)) as Error;
    expect(failure).toMatchObject({ code: 'UNAVAILABLE' });
    expect(failure.message).not.toContain('http');
    expect(String(failure.cause)).toContain('status 503');
  });
});
