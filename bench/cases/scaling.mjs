import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { cloned, emptyTarget, swept } from '../lib/jobs.mjs';
import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { clocked, makeTree } from '../lib/trees.mjs';
import { writeNoise } from './downloads.mjs';

export const name = 'scaling';
export const title = 'Ten times the work';

const MIB = 2 ** 20;
const CONNECTIONS = 16;
const SMALL_UPLOAD_BYTES = 100 * 1024;
const OFFSET_BODY = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': 0 };

/** Each work once and ten times as large; `listing` and `trees` do so for listings and usage. */
export async function run({ directory, load, rounds, scale, note }) {
  const proxy = await StorageProxy.start(directory);
  const folder = await proxy.createFolder();
  let counter = 0;
  const seconds = async (work) => ({ value: (await clocked(work)).seconds });
  const loaded = async (options) => ({
    value: (await load.run({ connections: CONNECTIONS, ...options })).seconds,
  });
  const tree = (files, bytes) => ({ directories: 10, files: Math.round(files / 10), bytes });

  const works = [
    {
      what: (size) => `GET /volumes, ${size} times`,
      sizes: [1000, 10_000],
      measure: (size) => () => {
        const request = { port: proxy.manager, path: '/volumes', headers: proxy.authorization };
        return loaded({ iterations: size, steps: [step(request)] });
      },
    },
    {
      what: (size) => `download of ${Math.round(size / MIB)} MiB`,
      sizes: [128 * MIB, 1280 * MIB],
      measure: (size) => {
        const path = proxy.downloadPath(folder, `noise-${size}`);
        writeNoise(join(folder.path, `noise-${size}`), size);
        return () =>
          loaded({ connections: 1, iterations: 1, steps: [step({ port: proxy.client, path })] });
      },
    },
    {
      what: (size) => `download of 4 KiB, ${size} times`,
      sizes: [1000, 10_000],
      measure: (size) => {
        writeNoise(join(folder.path, 'small'), 4096);
        const list = Array.from({ length: 64 }, () => proxy.downloadPath(folder, 'small'));
        const steps = [step({ port: proxy.client, path: '{l}' })];
        return () => loaded({ iterations: size, list, steps });
      },
    },
    {
      what: (size) => `upload of ${Math.round(size / MIB)} MiB`,
      sizes: [128 * MIB, 1280 * MIB],
      measure: (size) => async () => {
        const file = `upload-${counter++}`;
        const path = await proxy.uploadPath(folder, file, size);
        const patch = { port: proxy.client, method: 'PATCH', headers: OFFSET_BODY, status: 204 };
        const steps = [step({ ...patch, path, body: size })];
        const sample = await loaded({ connections: 1, iterations: 1, steps });
        rmSync(join(folder.path, file));
        return sample;
      },
    },
    {
      what: (size) => `upload of 100 KiB, ${size} times`,
      sizes: [100, 1000],
      measure: (size) => async () => {
        const files = Array.from({ length: size }, () => `small-${counter++}`);
        const list = [];
        for (const file of files) {
          list.push(await proxy.uploadPath(folder, file, SMALL_UPLOAD_BYTES));
        }
        const patch = { port: proxy.client, method: 'PATCH', headers: OFFSET_BODY, status: 204 };
        const steps = [step({ ...patch, path: '{l}', body: SMALL_UPLOAD_BYTES })];
        return loaded({ iterations: size, list, steps });
      },
    },
    {
      what: (size) => `archive of ${size} files of 10 KiB`,
      sizes: [1000, 10_000],
      measure: async (size) => {
        const source = await proxy.createFolder();
        makeTree(source.path, tree(size, 10 * 1024));
        const path = proxy.downloadPath(source, '.', '&archive=true');
        const request = { port: proxy.client, path, headers: { Connection: 'close' } };
        return () => loaded({ connections: 1, iterations: 1, steps: [step(request)] });
      },
    },
    {
      what: (size) => `deletion of ${size} files`,
      sizes: [10_000, 100_000],
      measure: (size) => async () => {
        const victim = await proxy.createFolder();
        makeTree(victim.path, tree(size));
        return seconds(async () => {
          await proxy.call('POST', '/folder/delete', victim.ref);
          await swept(victim);
        });
      },
    },
    {
      what: (size) => `clone of ${size} files of 10 KiB`,
      sizes: [1000, 10_000],
      measure: async (size) => {
        const source = await proxy.createFolder();
        makeTree(source.path, tree(size, 10 * 1024));
        return async () => {
          const target = await emptyTarget(proxy);
          const sample = await seconds(() => cloned(proxy, source, target));
          rmSync(target.path, { recursive: true });
          return sample;
        };
      },
    },
  ];
  try {
    const rows = [];
    for (const { what, sizes, measure } of works) {
      const [once, tenfold] = sizes.map((size) => Math.round(size * scale));
      note(what(tenfold));
      const contender = async (size) => ({
        name: what(size),
        server: proxy.process,
        measure: await measure(size),
      });
      const contenders = [await contender(tenfold), await contender(once)];
      const targets = { [what(once)]: 11 };
      const common = { unit: 's', better: 'lower', rounds: Math.min(rounds, 3) };
      rows.push(...(await compare({ ...common, work: what(tenfold), contenders, targets })));
    }
    return rows;
  } finally {
    await proxy.stop();
  }
}
