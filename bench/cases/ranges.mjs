import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';

export const name = 'ranges';
export const title = 'A range out of a huge file';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** The same mebibyte, from the middle of 100 GiB (sparse) and as a file of its own. */
export async function run({ directory, load, rounds, scale }) {
  const proxy = await StorageProxy.start(directory);
  try {
    const folder = await proxy.createFolder();
    const file = openSync(join(folder.path, 'huge.bin'), 'w');
    ftruncateSync(file, 100 * GIB);
    closeSync(file);
    writeFileSync(join(folder.path, 'small.bin'), Buffer.alloc(MIB));
    const measure = (relpath, headers, status) => async () => {
      const path = proxy.downloadPath(folder, relpath);
      const steps = [step({ port: proxy.client, path, headers, status })];
      const done = await load.run({ iterations: Math.round(500 * scale), steps });
      return { value: done.firstByte * 1000, count: done.requests };
    };
    const range = { Range: `bytes=${50 * GIB}-${50 * GIB + MIB - 1}` };
    return await compare({
      work: 'time to the first byte',
      unit: 'ms',
      better: 'lower',
      rounds,
      contenders: [
        {
          name: '1 MiB out of 100 GiB',
          server: proxy.process,
          measure: measure('huge.bin', range, 206),
        },
        { name: 'a file of 1 MiB', server: proxy.process, measure: measure('small.bin', {}, 200) },
      ],
      targets: { 'a file of 1 MiB': 1.1 },
    });
  } finally {
    await proxy.stop();
  }
}
