import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as poolModule from '../../src/backend/posix/tree-pool.js';
import type { TreePool, TreePoolOptions } from '../../src/backend/posix/tree-pool.js';
import type { TreeOrder } from '../../src/backend/posix/tree-protocol.js';
import { built } from '../support/built.js';
import { makeWideTree } from './suite/trees.js';

const WORKER_URL = pathToFileURL(path.resolve('dist/backend/posix/tree-worker.js'));

describe('TreePool', () => {
  let top: string;
  let pool: TreePool;
  let make: (options?: Partial<TreePoolOptions>) => TreePool;
  const usage: TreeOrder = { kind: 'usage', path: Buffer.from('tree'), omit: [] };

  beforeAll(async () => {
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'pool-'));
    makeWideTree(path.join(top, 'tree'), 20, 100);
    const { TreePool } = await built<typeof poolModule>('backend/posix/tree-pool.js');
    make = (options) =>
      (pool = new TreePool({
        name: 'local',
        workerUrl: WORKER_URL,
        volume: { path: top, reservedNames: [] },
        ...options,
      }));
  });
  afterEach(() => pool.close(1000));
  afterAll(() => fs.promises.rm(top, { recursive: true }));

  /** A worker that does something else than walking trees. */
  function rogue(source: string): URL {
    const file = path.join(top, `rogue-${Math.random()}.mjs`);
    fs.writeFileSync(file, `import { parentPort } from 'node:worker_threads';\n${source}`);
    return pathToFileURL(file);
  }

  it('has no thread until there is work, few with much work, and none after a while without', async () => {
    make({ idleMs: 100 });
    expect(pool.threadCount).toBe(0);
    const tasks = Array.from({ length: 8 }, () => pool.run(usage));
    expect(pool.threadCount).toBe(2);
    for (const result of await Promise.all(tasks))
      expect(result).toMatchObject({ fileCount: 2020 });
    while (pool.threadCount > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await pool.run(usage)).toMatchObject({ fileCount: 2020 });
    expect(pool.threadCount).toBe(1);
  });

  it('closes what a thread left open that did not come to its end', async () => {
    const native = (name: string): string =>
      JSON.stringify(pathToFileURL(path.resolve('dist/native', name)).href);
    const workerUrl = rogue(`
      import { workerData } from 'node:worker_threads';
      import { sync } from ${native('calls.js')};
      import { DescriptorLedger } from ${native('descriptor-ledger.js')};
      new DescriptorLedger(workerData.descriptors).record();
      parentPort.on('message', () => {
        const [closed] = Array.from({ length: 5 }, () => sync.openat2(-100, Buffer.from(workerData.volume.path), 0));
        sync.close(closed);
        process.exit(1);
      });`);
    make({ workerUrl });
    await expect(pool.run(usage)).rejects.toMatchObject({ code: 'INTERNAL' });
    while (pool.threadCount > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const open = fs.readdirSync('/proc/self/fd').map((fd) => linkOf(`/proc/self/fd/${fd}`));
    expect(open).not.toContain(top);
  });

  it('ends a walk whose batches cannot be used, and goes on with others', async () => {
    make();
    const list: TreeOrder = {
      kind: 'list',
      root: Buffer.from('.'),
      path: Buffer.from('tree'),
      limit: 0,
      cursor: undefined,
      omit: [],
    };
    const unusable = (): never => {
      throw new Error('cannot be used');
    };
    await expect(pool.run(list, {}, unusable)).rejects.toThrow('cannot be used');
    expect(await pool.run(usage)).toMatchObject({ fileCount: 2020 });
  });

  it('uses an idle thread rather than make another', async () => {
    make();
    await pool.run(usage);
    await pool.run(usage);
    expect(pool.threadCount).toBe(1);
  });

  it.each([
    ['throws', `parentPort.on('message', () => { throw new Error('broken'); });`],
    ['exits', `parentPort.on('message', () => process.exit(7));`],
  ])('fails the tasks of a thread that %s, and makes another for the next', async (_, source) => {
    make({ workerUrl: rogue(source) });
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(pool.run(usage)).rejects.toMatchObject({
        name: 'StorageError',
        code: 'INTERNAL',
        message: 'A tree worker thread ended unexpectedly',
      });
    }
    await expect(
      (async () => {
        for await (const batch of pool.stream(usage)) expect(batch).toBeDefined();
      })(),
    ).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('stops what runs when it is closed, and takes no more', async () => {
    make();
    const running = pool.run(usage).catch((error: unknown) => error);
    await pool.close(5000);
    const closing = { code: 'UNAVAILABLE', message: 'volume "local" is being closed' };
    expect(await running).toMatchObject(closing);
    expect(pool.threadCount).toBe(0);
    await expect(pool.run(usage)).rejects.toMatchObject(closing);
  });

  it('is closed although a thread hangs in a system call', async () => {
    // A futex that nobody wakes stands for a file server that does not answer.
    const hang = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;
    make({ workerUrl: rogue(`parentPort.on('message', () => { ${hang} });`) });
    const running = pool.run(usage).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await pool.close(200);
    expect(await running).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

function linkOf(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch {
    return undefined;
  }
}
