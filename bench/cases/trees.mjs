import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cloned, emptyTarget, swept } from '../lib/jobs.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { timed } from '../lib/processes.mjs';
import { clocked, makeTree } from '../lib/trees.mjs';

export const name = 'trees';
export const title = 'Whole trees: usage, deletion, clone';

const COMMON = { unit: 's', better: 'lower' };

export async function run({ directory, rounds, scale, note }) {
  const proxy = await StorageProxy.start(directory);
  try {
    const rows = [];
    const shape = { directories: 200, files: Math.round(1000 * scale) };
    const folder = await proxy.createFolder();
    note(`making ${shape.directories * shape.files} files`);
    makeTree(folder.path, shape);
    const tenth = await proxy.createFolder();
    makeTree(tenth.path, { ...shape, files: shape.files / 10 });
    rows.push(...(await usage(proxy, { folder, tenth }, shape, rounds)));
    rows.push(...(await deletion(proxy, directory, shape, Math.min(rounds, 3))));
    // Of 100 KiB, where what each file costs shows; and of a mebibyte, as 10 GiB in 10,000 files are.
    for (const files of [10_000, 1_000]) {
      rows.push(...(await clone(proxy, directory, { files, scale, rounds: Math.min(rounds, 3) })));
    }
    return rows;
  } finally {
    await proxy.stop();
  }
}

async function usage(proxy, { folder, tenth }, { directories, files }, rounds) {
  const askFor = async ({ ref }) => {
    const { seconds } = await clocked(() => proxy.get('/folder/usage', ref));
    return { value: seconds };
  };
  const ask = () => askFor(folder);
  const count = directories * files;
  const latency = async (work) => {
    const waits = [];
    const state = { running: true };
    const done = work().finally(() => (state.running = false));
    while (state.running) {
      waits.push((await clocked(() => proxy.get('/volumes', {}))).seconds * 1000);
      await sleep(1);
    }
    await done;
    return { value: waits.toSorted((x, y) => x - y)[Math.floor(waits.length * 0.9)] };
  };
  return [
    ...(await compare({
      ...COMMON,
      work: `usage of ${count} files in ${directories} directories`,
      rounds,
      contenders: [
        { name: 'storage-proxy', server: proxy.process, measure: ask },
        { name: 'du -sb', measure: async () => asSample(await timed('du', ['-sb', folder.path])) },
      ],
      targets: { 'du -sb': 0.7 },
    })),
    ...(await compare({
      ...COMMON,
      work: 'usage at ten times the size',
      rounds,
      contenders: [
        { name: `of ${count} files`, server: proxy.process, measure: ask },
        { name: `of ${count / 10} files`, server: proxy.process, measure: () => askFor(tenth) },
      ],
      targets: { [`of ${count / 10} files`]: 11 },
    })),
    ...(await compare({
      unit: 'ms',
      better: 'lower',
      work: 'nine tenths of other calls answer within',
      rounds,
      contenders: [
        { name: 'during a usage walk', measure: () => latency(ask) },
        { name: 'with nothing else to do', measure: () => latency(() => sleep(300)) },
      ],
    })),
  ];
}

async function deletion(proxy, directory, shape, rounds) {
  const rows = [];
  const sizes = [{ directories: 1, files: 10 }, shape];
  const answers = [];
  for (const size of sizes) {
    answers.push({
      name: `of ${size.directories * size.files} files`,
      measure: async () => {
        const folder = await proxy.createFolder();
        makeTree(folder.path, size);
        const { seconds } = await clocked(() => proxy.call('POST', '/folder/delete', folder.ref));
        await swept(folder);
        return { value: seconds };
      },
    });
  }
  rows.push(
    ...(await compare({
      ...COMMON,
      work: 'answer to a deletion',
      rounds,
      contenders: answers.toReversed(),
    })),
  );
  rows.push(
    ...(await compare({
      ...COMMON,
      work: `sweep of ${shape.directories * shape.files} files`,
      rounds,
      contenders: [
        {
          name: 'storage-proxy',
          server: proxy.process,
          measure: async () => {
            const folder = await proxy.createFolder();
            makeTree(folder.path, shape);
            const cpu = proxy.process.cpuSeconds();
            const { seconds } = await clocked(async () => {
              await proxy.call('POST', '/folder/delete', folder.ref);
              await swept(folder);
            });
            return { value: seconds, cpuSeconds: proxy.process.cpuSeconds() - cpu };
          },
        },
        {
          name: 'rm -rf',
          measure: async () => {
            const path = join(directory, 'to-remove');
            makeTree(path, shape);
            return asSample(await timed('rm', ['-rf', path]));
          },
        },
      ],
      targets: { 'rm -rf': 1.2 },
    })),
  );
  return rows;
}

async function clone(proxy, directory, { files, scale, rounds }) {
  const bytes = Math.round((2 ** 30 * 10 * scale * 0.1) / files);
  const source = await proxy.createFolder();
  makeTree(source.path, { directories: 100, files: files / 100, bytes });
  const cpTarget = join(directory, 'cp-target');
  return await compare({
    ...COMMON,
    work: `clone of ${((files * bytes) / 2 ** 30).toFixed(1)} GiB in ${files} files`,
    rounds,
    contenders: [
      {
        name: 'storage-proxy',
        server: proxy.process,
        measure: async () => {
          const target = await emptyTarget(proxy);
          const cpu = proxy.process.cpuSeconds();
          const { seconds } = await clocked(() => cloned(proxy, source, target));
          const cpuSeconds = proxy.process.cpuSeconds() - cpu;
          rmSync(target.path, { recursive: true });
          return { value: seconds, cpuSeconds };
        },
      },
      {
        name: 'cp -a --reflink=auto, then sync -f',
        measure: async () => {
          rmSync(cpTarget, { recursive: true, force: true });
          mkdirSync(cpTarget);
          execFileSync('sync', ['-f', directory]);
          const command = 'cp -a --reflink=auto "$1/." "$2" && sync -f "$2"';
          return asSample(await timed('sh', ['-c', command, 'sh', source.path, cpTarget]));
        },
      },
    ],
    targets: { 'cp -a --reflink=auto, then sync -f': 1.1 },
  });
}

function asSample({ seconds, cpuSeconds }) {
  return { value: seconds, cpuSeconds };
}
