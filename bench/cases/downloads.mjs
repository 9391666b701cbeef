import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { startNginx } from '../lib/peers.mjs';

export const name = 'downloads';
export const title = 'Downloads of a large file from the page cache';

const GIB = 2 ** 30;

/** The same file by both servers; CPU a GiB is what lasts when the loopback or the client is the limit. */
export async function run({ directory, load, rounds, scale, note }) {
  const proxy = await StorageProxy.start(directory);
  const folder = await proxy.createFolder();
  const nginx = await startNginx(directory, { root: folder.path });
  try {
    const size = Math.round(GIB * scale);
    writeNoise(join(folder.path, 'large.bin'), size);
    const contenders = [
      {
        name: 'storage-proxy',
        port: proxy.client,
        paths: Array.from({ length: 64 }, () => proxy.downloadPath(folder, 'large.bin')),
        server: proxy.process,
      },
      { name: 'nginx', port: nginx.port, paths: ['/large.bin'], server: nginx.process },
    ];
    const rows = [];
    for (const connections of [1, 16, 64]) {
      note(`${connections} connections`);
      const iterations = Math.max(connections, 4);
      const measure =
        ({ port, paths }) =>
        async () => {
          const range = { Range: `bytes=0-${Math.floor((4 * size) / iterations) - 1}` };
          const headers = connections > 4 ? range : {};
          const status = connections > 4 ? 206 : 200;
          const steps = [step({ port, path: '{l}', headers, status })];
          const done = await load.run({ connections, iterations, list: paths, steps });
          return {
            value: done.bytesIn / GIB / done.seconds,
            bytes: done.bytesIn,
            client: done.cpuSeconds / done.seconds,
          };
        };
      rows.push(
        ...(await compare({
          work: `4 × ${size / GIB} GiB, ${connections} connections`,
          unit: 'GiB/s',
          rounds,
          contenders: contenders.map((one) => ({ ...one, measure: measure(one) })),
          targets: { nginx: 1 },
        })),
      );
    }
    return rows;
  } finally {
    await proxy.stop();
    await nginx.stop();
  }
}

/** A file that no filesystem can shrink. */
export function writeNoise(path, bytes) {
  mkdirSync(join(path, '..'), { recursive: true });
  execFileSync('sh', ['-c', 'head -c "$1" /dev/urandom > "$2"', 'sh', String(bytes), path]);
}
