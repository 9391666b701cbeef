import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { newVFolderId, vfolderPath } from '../support/ids.js';
import { childrenOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';
import { budgetMs, report, testTimeoutMs } from '../torture/mode.js';
import { Random, SEED } from '../torture/random.js';
import { jsonOf, Wire } from '../torture/wire.js';
import { isLinearizable, type Observed } from '../torture/writers/linearizable.js';
import { Rivals } from '../torture/writers/rivals.js';
import {
  bodyOf,
  misattributed,
  uploadModel,
  type UploadOperation,
} from '../torture/writers/upload-model.js';

const RIVALRY_MS = budgetMs(10_000, 0.05);
const SIZE = 700_000;

let first: TestServer;
let second: TestServer;
let wires: Wire[];
let folder: { volume: string; vfid: string };

beforeAll(async () => {
  first = await TestServer.start({ config: { 'storage-proxy': { 'num-proc': 2 } } });
  second = await TestServer.start({
    config: {
      'storage-proxy': { 'num-proc': 2, 'node-id': 'second' },
      volume: { local: { backend: 'vfs', path: first.volumePath() } },
      uploads: { 'lock-wait': '0s' },
    },
  });
  wires = [first, second].map((server) => new Wire(server));
  folder = await newFolder();
});
afterAll(async () => {
  for (const wire of wires ?? []) wire.close();
  await Promise.all([first?.stop(), second?.stop()]);
});

async function newFolder(): Promise<typeof folder> {
  const made = { volume: 'local', vfid: newVFolderId('scoped') };
  expect((await wires[0]!.manager('POST', '/folder/create', made)).status).toBe(204);
  return made;
}

const pathOf = ({ vfid }: typeof folder, ...names: string[]): string =>
  join(first.volumePath(), vfolderPath(vfid), ...names);

async function issue(target: typeof folder, relpath: string, size: number): Promise<string> {
  const outcome = await wires[0]!.manager('POST', '/folder/file/upload', {
    ...target,
    relpath,
    size,
  });
  return String(jsonOf(outcome)['token']);
}

const workersOf = (server: TestServer): number[] =>
  childrenOf(server.pid)
    .filter(({ title }) => /worker \d+$/.test(title))
    .map(({ pid }) => pid);

/** Until all workers of a proxy are there again, and serve. */
async function untilComplete(server: TestServer): Promise<void> {
  const wire = wires[server === first ? 0 : 1]!;
  await server.until('new workers', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => wire.manager('GET', '/volumes')));
    return workersOf(server).length === 2 && answers.every(({ status }) => status === 200);
  });
}

/** A PATCH to the first proxy that stands still after some bytes; resolves when they are in the staging file. */
async function stall(target: typeof folder, token: string, relpath: string): Promise<void> {
  void wires[0]!.client(
    'PATCH',
    '/upload',
    { token },
    {
      headers: { 'upload-offset': 0, 'content-length': SIZE },
      started: (outgoing) => {
        outgoing.end = () => outgoing;
        outgoing.write(bodyOf(1, 0, 1000));
      },
    },
  );
  const staged = (): boolean => {
    const directory = pathOf(target, '.upload');
    return readdirSync(directory).some(
      (name) => /^[0-9a-f]{32}$/.test(name) && statSync(join(directory, name)).size === 1000,
    );
  };
  await first.until(`the bytes of ${relpath}`, staged);
}

describe('the checker', () => {
  const at = (
    start: number,
    end: number,
    operation: UploadOperation,
  ): Observed<UploadOperation> => ({ start, end, operation });
  const patch = (writer: number, from: number, kept: number, told?: number): UploadOperation => ({
    kind: 'patch',
    writer,
    from,
    kept,
    told,
  });
  const head = (offset: number): UploadOperation => ({ kind: 'head', offset });

  it.each<[string, Observed<UploadOperation>[]]>([
    ['one after another', [at(0, 1, patch(1, 0, 5, 5)), at(2, 3, head(5))]],
    ['a look while it changes', [at(0, 9, patch(1, 0, 5, 5)), at(1, 2, head(0))]],
    ['an end nobody saw', [at(0, Infinity, patch(1, 0, 3)), at(5, 6, head(0)), at(7, 8, head(3))]],
    ['a stale offset', [at(0, 1, patch(1, 0, 5, 5)), at(2, 3, { kind: 'mismatch', from: 0 })]],
  ])('accepts %s', (_, history) => expect(isLinearizable(history, uploadModel)).toBe(true));

  it.each<[string, Observed<UploadOperation>[]]>([
    ['a lost acknowledgement', [at(0, 1, patch(1, 0, 5, 5)), at(2, 3, head(0))]],
    ['two winners', [at(0, 9, patch(1, 0, 5, 5)), at(0, 9, patch(2, 0, 4, 4))]],
    ['going back', [at(0, 1, patch(1, 0, 5, 5)), at(0, 3, head(5)), at(4, 5, head(3))]],
    ['a refusal without reason', [at(0, 1, { kind: 'mismatch', from: 0 })]],
    ['more than was sent', [at(0, 1, patch(1, 0, 5, 7))]],
  ])('refuses %s', (_, history) => expect(isLinearizable(history, uploadModel)).toBe(false));
});

it(
  'rivals on several workers and two proxies see one upload that grows',
  async () => {
    const random = new Random('rivals');
    const deadline = Date.now() + RIVALRY_MS;
    const figures = { seed: SEED, uploads: 0, operations: 0, kills: 0 };
    while (Date.now() < deadline) {
      const relpath = `rivals-${++figures.uploads}`;
      const token = await issue(folder, relpath, SIZE);
      const rivals = new Rivals(wires, random, { token, sizeBytes: SIZE });
      const running = rivals.run();
      const workers = workersOf(random.pick([first, second]));
      // One of a kind is left alone: workers that die all the time are started ever later.
      if (random.chance(0.3) && workers.length > 1) {
        process.kill(random.pick(workers), 'SIGKILL');
        figures.kills++;
      }
      await running;
      await first.until('somebody to finish', async () => {
        const { headers } = await wires[0]!.client('HEAD', '/upload', { token });
        return Number(headers['upload-offset']) === SIZE;
      });
      const { file, history } = rivals.history(pathOf(folder, relpath));
      figures.operations += history.length;
      expect(misattributed(file, history)).toEqual([]);
      expect({ history, isLinearizable: isLinearizable(history, uploadModel) }).toMatchObject({
        isLinearizable: true,
      });
    }
    await Promise.all([first, second].map(untilComplete));
    report('two writers', figures);
  },
  testTimeoutMs(RIVALRY_MS),
);

it('the lock of a dead holder is free at once, for another proxy too', async () => {
  const token = await issue(folder, 'orphaned', SIZE);
  await stall(folder, token, 'orphaned');
  const holders = workersOf(first);
  for (const pid of holders) process.kill(pid, 'SIGKILL');
  // A zombie may have threads that still hold the file.
  const isReaped = (pid: number): boolean => !existsSync(`/proc/${pid}`);
  await first.until('the holders to be dead', () => holders.every(isReaped));
  // This proxy does not wait for locks at all.
  const head = await wires[1]!.client('HEAD', '/upload', { token });
  expect({ status: head.status, offset: head.headers['upload-offset'] }).toEqual({
    status: 200,
    offset: '1000',
  });
  await untilComplete(first);
});

it('a holder that was stopped meanwhile cannot write into a folder made anew', async () => {
  const target = await newFolder();
  const token = await issue(target, 'stale', SIZE);
  await stall(target, token, 'stale');
  const held = wires[1]!.client('HEAD', '/upload', { token });
  expect((await held).status).toBe(409);
  const holders = workersOf(first);
  for (const pid of holders) process.kill(pid, 'SIGSTOP');
  try {
    renameSync(pathOf(target), `${pathOf(target)}-away`);
    mkdirSync(pathOf(target));
  } finally {
    for (const pid of holders) process.kill(pid, 'SIGCONT');
  }
  const rest = await wires[0]!.client(
    'PATCH',
    '/upload',
    { token },
    { headers: { 'upload-offset': 1000 }, body: bodyOf(1, 1000, SIZE - 1000) },
  );
  expect(rest.status).toBe(404);
  expect(readdirSync(pathOf(target))).toEqual([]);
});
