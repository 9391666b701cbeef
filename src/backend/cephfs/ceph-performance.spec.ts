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
  let phaseMs: number;
  let perInterval: number;
  const measured = (pools = ['data']): CephPerformance =>
    new CephPerformance(
      {
        volume: 'fast',
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
        timeoutMs: 5_000,
        intervalMs: 15_000,
        pools,
      },
      {
        now: () => nowMs,
        sleep: (ms) => {
          nowMs += ms;
          takeAnew();
          return Promise.resolve();
        },
      },
    );
  /** The module takes its counters anew every fifteen seconds, and repeats its answer in between. */
  const takeAnew = (): void => {
    const taken = Math.floor((nowMs - phaseMs) / 15_000);
    answer = metrics(1_000 + taken * perInterval, 1 + (taken * perInterval) / 600);
  };
  const at = (ms: number): void => {
    nowMs = ms;
    takeAnew();
  };

  beforeEach(async () => {
    phaseMs = -8_500;
    perInterval = 300;
    status = 200;
    at(0);
    server = createServer((_, reply) => reply.writeHead(status).end(answer));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const expected = {
    iopsRead: 20,
    iopsWrite: 0,
    ioBytesRead: 20 * 4096,
    ioBytesWrite: 0,
    ioUsecRead: (0.5 / 300) * 1e6,
    ioUsecWrite: 0,
  };

  it('tells rates of the volume’s pools over the time between two takings of the counters', async () => {
    const performance = measured();
    expect(await performance.measure()).toEqual(expected);
    expect(nowMs).toBe(7_000);
  });

  it.each([1_000, 8_000, 14_000, 15_500, 31_000, 52_000, 100_000])(
    'tells the same of a steady load when asked again after %d ms',
    async (later) => {
      const performance = measured();
      await performance.measure();
      for (let time = 1; time <= 3; time++) {
        at(nowMs + later);
        expect(await performance.measure()).toMatchObject({ iopsRead: 20, ioBytesRead: 20 * 4096 });
      }
    },
  );

  it('waits no longer than an interval for a cluster that does nothing, and knows when it stops', async () => {
    perInterval = 0;
    at(0);
    const idle = measured();
    expect(await idle.measure()).toMatchObject({ iopsRead: 0 });
    perInterval = 300;
    at(100_000);
    const performance = measured();
    await performance.measure();
    nowMs += 60_000;
    expect(await performance.measure()).toMatchObject({ iopsRead: 0 });
  });

  it('reads for all who ask at once', async () => {
    const performance = measured();
    const [one, other] = await Promise.all([performance.measure(), performance.measure()]);
    expect(other).toBe(one);
  });

  it('takes counters that went back for started anew', async () => {
    const performance = measured();
    await performance.measure();
    nowMs += 20_000;
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
