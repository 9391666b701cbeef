import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { send } from '../support/http.js';
import { AUTH_HEADER } from '../support/manager-client.js';
import { Proxy } from '../support/proxy.js';

const METHODS_THAT_READ = ['get', 'head', 'options'];
/** In spite of their method. Whatever else the documents have changes something, and has to leave a record. */
const POSTS_THAT_READ = ['file.list', 'file.fetch', 'file.download', 'file.archive-download-token'];

interface Operation {
  readonly plane: 'manager' | 'client';
  readonly method: string;
  readonly path: string;
  readonly id: string;
}

type AuditRecord = Readonly<Record<string, unknown>>;

function operationsOf(plane: Operation['plane']): Operation[] {
  const { paths } = JSON.parse(readFileSync(`openapi/${plane}.json`, 'utf8')) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId: id }]) => ({ plane, method, path, id })),
  );
}

const operations = [...operationsOf('manager'), ...operationsOf('client')].filter(
  // A watch goes on.
  ({ id }) => id !== 'jobs.watch',
);
const changing = operations.filter(
  ({ method, id }) => !METHODS_THAT_READ.includes(method) && !POSTS_THAT_READ.includes(id),
);

describe('the audit trail', () => {
  let proxy: Proxy;
  let file: string;

  beforeAll(async () => {
    proxy = await Proxy.start({}, { config: { audit: { sink: 'file', file: 'audit.jsonl' } } });
    file = join(proxy.mount(), '..', '..', 'audit.jsonl');
  });
  afterAll(() => proxy.stop());

  async function ask({ plane, method, path }: Operation): Promise<void> {
    const origin = plane === 'manager' ? proxy.manager.origin : proxy.clientOrigin;
    const headers = {
      ...(plane === 'manager' && { [AUTH_HEADER]: proxy.secret }),
      'content-type': 'application/json',
    };
    const body = METHODS_THAT_READ.includes(method) ? undefined : Buffer.from('{}');
    await send(method.toUpperCase(), origin + path.replace('{id}', 'none'), headers, body);
  }

  const records = (): AuditRecord[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as AuditRecord)
      : [];

  it('has one record of each operation that changes something, also when it is refused, and none of others', async () => {
    for (const operation of operations) await ask(operation);
    // Records come in order: with this one all others are there.
    await proxy.createFolder('bare');
    while (records().at(-1)?.['result'] !== 'ok') await sleep(20);
    const [, ...refused] = records().toReversed();
    expect(refused.map(({ operation }) => String(operation)).toSorted()).toEqual(
      changing.map(({ id }) => id).toSorted(),
    );
    for (const record of refused) {
      expect(record).toMatchObject({
        component: 'audit',
        plane: changing.find(({ id }) => id === record['operation'])?.plane,
        principal: record['plane'] === 'manager' ? 'secret:api.manager.secret' : 'none',
        peer: '127.0.0.1',
        result: 'refused',
        status: expect.any(Number),
        duration_ms: expect.any(Number),
      });
    }
  });
});
