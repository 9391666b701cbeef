import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy, TOKEN_KEY } from '../lib/ours.mjs';
import { startScript } from '../lib/peers.mjs';

export const name = 'small-files';
export const title = 'Downloads of many small files, each with its token';

const FILES = 1000;
const FILE_BYTES = 4096;

/** The same tokens and files; the peer verifies with the same library and sends with @fastify/send. */
export async function run({ directory, load, rounds, scale }) {
  const proxy = await StorageProxy.start(directory);
  const folder = await proxy.createFolder();
  const peer = await startScript('Fastify route', 'fastify-download.mjs', directory, [
    folder.path,
    TOKEN_KEY,
  ]);
  try {
    const list = [];
    for (let index = 0; index < FILES; index++) {
      writeFileSync(join(folder.path, `${index}.bin`), Buffer.alloc(FILE_BYTES, index));
      list.push(proxy.downloadPath(folder, `${index}.bin`));
    }
    const iterations = Math.round(5_000 * scale);
    const measure = (port) => async () => {
      const steps = [step({ port, path: '{l}' })];
      const done = await load.run({ connections: 16, iterations, list, steps });
      return {
        value: done.requests / done.seconds,
        count: done.requests,
        client: done.cpuSeconds / done.seconds,
      };
    };
    return await compare({
      work: `${iterations} × 4 KiB, 16 connections`,
      unit: 'requests/s',
      rounds,
      contenders: [
        { name: 'storage-proxy', server: proxy.process, measure: measure(proxy.client) },
        { name: peer.name, server: peer.process, measure: measure(peer.port) },
      ],
      targets: { [peer.name]: 1.5 },
    });
  } finally {
    await proxy.stop();
    await peer.stop();
  }
}
