import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { isInstalled } from '../lib/peers.mjs';
import { timed } from '../lib/processes.mjs';
import { makeTree } from '../lib/trees.mjs';

export const name = 'archives';
export const title = 'A folder as a ZIP, stored';

const GIB = 2 ** 30;

export async function run({ directory, load, rounds, scale, note }) {
  if (!isInstalled('zip')) {
    note('zip is not installed: left out');
    return [];
  }
  const settings = { downloads: { 'compression-level': 0 } };
  const proxy = await StorageProxy.start(directory, { settings });
  const rows = [];
  try {
    for (const [label, shape] of [
      [
        '1 GiB in 10,000 files',
        { directories: 100, files: 100, bytes: Math.round((GIB * scale) / 10_000) },
      ],
      ['10,000 files of 100 bytes', { directories: 100, files: 100, bytes: 100 }],
    ]) {
      const folder = await proxy.createFolder();
      makeTree(folder.path, shape);
      const bytes = shape.directories * shape.files * shape.bytes;
      rows.push(
        ...(await compare({
          work: label,
          unit: 'files/s',
          rounds,
          contenders: [
            {
              name: 'storage-proxy',
              server: proxy.process,
              measure: () => ours(proxy, folder, load, bytes),
            },
            { name: 'zip -0 to a pipe', measure: () => theirs(folder, bytes) },
          ],
          targets: { 'zip -0 to a pipe': 1 },
        })),
      );
    }
    const big = await proxy.createFolder();
    makeTree(big.path, { directories: 200, files: Math.round(1000 * scale) });
    const little = await proxy.createFolder();
    makeTree(little.path, { directories: 1, files: 10 });
    const first = (folder) => async () => ({
      value: (await archive(proxy, folder, load)).firstByte * 1000,
    });
    rows.push(
      ...(await compare({
        work: 'time to the first byte',
        unit: 'ms',
        better: 'lower',
        rounds,
        contenders: [
          { name: `of ${200 * Math.round(1000 * scale)} files`, measure: first(big) },
          { name: 'of 10 files', measure: first(little) },
        ],
      })),
    );
    return rows;
  } finally {
    await proxy.stop();
  }
}

function archive(proxy, folder, load) {
  const path = proxy.downloadPath(folder, '.', '&archive=true');
  // Without a length, the end of the connection is the end of the archive.
  const steps = [step({ port: proxy.client, path, headers: { Connection: 'close' } })];
  return load.run({ iterations: 1, steps });
}

async function ours(proxy, folder, load, bytes) {
  const done = await archive(proxy, folder, load);
  return { value: 10_000 / done.seconds, bytes, client: done.cpuSeconds / done.seconds };
}

/** `zip` sees that its output is a pipe; `cat` takes it away. */
async function theirs(folder, bytes) {
  const command = 'cd "$1" && zip -0 -q -r - . | cat';
  const { seconds, cpuSeconds } = await timed('sh', ['-c', command, 'sh', folder.path]);
  return { value: 10_000 / seconds, bytes, cpuSeconds };
}
