import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as treesModule from '../../src/backend/posix/posix-trees.js';
import type * as poolModule from '../../src/backend/posix/tree-pool.js';
import type { PosixTrees } from '../../src/backend/posix/posix-trees.js';
import type { TreePool } from '../../src/backend/posix/tree-pool.js';
import { built } from '../support/built.js';
import { makeDeepTree, makeWideTree } from './suite/trees.js';

const WORKER_URL = pathToFileURL(path.resolve('dist/backend/posix/tree-worker.js'));

/** In memory, where there is such a place: trees of thousands of files are slow to make on a disk. */
const PLACE = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();

/** Whole trees by several threads must count what one thread counts. */
describe('usage by more than one thread', () => {
  let top: string;
  let pool: TreePool;
  let usage: (maxThreads: number, signal?: AbortSignal) => ReturnType<PosixTrees['usage']>;

  beforeEach(async () => {
    top = fs.mkdtempSync(path.join(PLACE, 'usage-'));
    makeWideTree(path.join(top, 'tree'), 30, 200);
    const { TreePool } = await built<typeof poolModule>('backend/posix/tree-pool.js');
    const { PosixTrees } = await built<typeof treesModule>('backend/posix/posix-trees.js');
    usage = (maxThreads, signal) => {
      pool = new TreePool({
        workerUrl: WORKER_URL,
        volume: { path: top, reservedNames: [] },
        maxThreads,
      });
      const options = { omit: [Buffer.from('.upload')], ...(signal && { signal }) };
      return new PosixTrees(pool).usage({ path: Buffer.from('tree') }, options);
    };
  });
  afterEach(async () => {
    await pool.close(5000);
    execFileSync('rm', ['-rf', top]);
  });

  it('counts the same, whatever is in the tree', async () => {
    const at = (...names: string[]): string => path.join(top, 'tree', ...names);
    await makeDeepTree(at('0', 'deep'), 60);
    for (const name of ['with\nnewline', ' ', '...', 'é'.repeat(127)]) {
      makeWideTree(at('1', name), 3, 300);
      fs.writeFileSync(at('1', name, 'sized'), Buffer.alloc(1000));
    }
    fs.symlinkSync('/etc', at('2', 'out'));
    fs.mkdirSync(at('.upload'));
    fs.writeFileSync(at('.upload', 'staging'), 'not counted');
    makeWideTree(at('3', '.upload'), 2, 300);
    const alone = await usage(1);
    await pool.close(5000);
    const helped = await usage(2);
    expect(pool.threadCount).toBe(2);
    expect(helped).toEqual(alone);
    const counted = execFileSync('find', [at(), '-mindepth', '1', '-not', '-path', at('.upload*')]);
    // A name with a line break in it takes two lines.
    const lineBreaks = 3 + 3 * 300 + 1 + 1;
    expect(helped.fileCount).toBe(counted.toString('latin1').split('\n').length - 1 - lineBreaks);
  });

  it('takes what vanishes meanwhile for gone', async () => {
    const running = usage(2);
    for (let index = 29; index >= 0; index--) {
      fs.rmSync(path.join(top, 'tree', String(index)), { recursive: true });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await running).fileCount).toBeLessThanOrEqual(30 * 201);
  });

  it('stops as a whole when it is cancelled', async () => {
    const stop = new AbortController();
    const running = usage(2, stop.signal);
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await pool.close(5000);
    expect(pool.threadCount).toBe(0);
  });

  it('fails when the directory itself is missing', async () => {
    fs.renameSync(path.join(top, 'tree'), path.join(top, 'elsewhere'));
    await expect(usage(2)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
