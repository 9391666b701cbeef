import { newVFolderId } from '../support/ids.js';
import { Sentinel, SENTINEL } from '../support/sentinel.js';
import { TestServer } from '../support/server.js';
import { describeWith, VALKEY, ValkeyServer } from '../support/valkey-server.js';

const DB = 4;

describeWith(VALKEY, SENTINEL)('a failover of Valkey', () => {
  let primary: ValkeyServer;
  let replica: ValkeyServer;
  let sentinel: Sentinel;
  let server: TestServer;

  beforeAll(async () => {
    primary = await ValkeyServer.start();
    replica = await ValkeyServer.start({ replicaOf: primary });
    sentinel = await Sentinel.start(primary);
    const valkey = { sentinels: [sentinel.address], 'service-name': 'site', 'request-timeout': 1 };
    server = await TestServer.start({ config: { valkey } });
  });

  afterAll(async () => {
    await server?.stop();
    await sentinel?.remove();
    await replica?.remove();
    await primary?.remove();
  });

  async function deleteOne(): Promise<string> {
    const vfid = newVFolderId('scoped');
    const folder = { volume: 'local', vfid };
    expect((await server.manager('POST', '/folder/create', folder)).status).toBe(204);
    expect((await server.manager('POST', '/folder/delete', folder)).status).toBe(202);
    return vfid;
  }

  async function untilIn(valkey: ValkeyServer, vfid: string): Promise<void> {
    await server.until(
      'the event',
      async () => {
        const entries = await valkey.client(DB).xrange('events', '-', '+');
        return entries.some(([, fields]) => fields.some((text) => text.includes(vfid)));
      },
      40_000,
    );
  }

  it('is followed to the new primary, and nothing is lost', async () => {
    const before = await deleteOne();
    await untilIn(primary, before);
    await untilIn(replica, before);
    await server.until('the sentinel to know the replica', async () => {
      return (await sentinel.replicas()) === 1;
    });
    await primary.kill();
    const during = await deleteOne();
    await untilIn(replica, during);
    await untilIn(replica, await deleteOne());
    await server.until('all to be well', async () => {
      return (await server.manager('GET', '/health')).json['status'] === 'ok';
    });
  });
});
