import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { startScript, startTusd } from '../lib/peers.mjs';
import { EATMYDATA } from '../lib/syncing.mjs';

export const name = 'small-uploads';
export const title = 'Many small uploads: token or creation, bytes, completion';

const BYTES = 100 * 1024;
const CONNECTIONS = 16;
const TUS = { 'Tus-Resumable': '1.0.0' };
const BODY = { ...TUS, 'Content-Type': 'application/offset+octet-stream' };

/** Ours is measured with and without syncing, see uploads; the peers never sync. */
export async function run({ directory, load, rounds, scale, note }) {
  const started = [];
  try {
    if (EATMYDATA) {
      const env = { LD_PRELOAD: EATMYDATA };
      started.push(
        await ours('storage-proxy, not syncing', join(directory, 'unsynced-small'), env),
      );
    }
    started.push(await ours('storage-proxy', join(directory, 'synced-small')));
    const stored = join(directory, 'tus-small');
    mkdirSync(stored);
    started.push(peer(await startScript('@tus/server', 'tus-server.mjs', directory, [stored])));
    const tusd = await startTusd(directory, join(directory, 'tusd-small'));
    if (tusd) started.push(peer(tusd));
    else note('tusd cannot be built here: left out');
    const iterations = Math.round(1000 * scale);
    const contenders = started.map(({ name: label, server, steps }) => ({
      name: label,
      server,
      measure: async (round) => {
        const done = await load.run({ connections: CONNECTIONS, iterations, steps: steps(round) });
        return {
          value: done.iterations / done.seconds,
          count: done.iterations,
          client: done.cpuSeconds / done.seconds,
        };
      },
    }));
    const work = `${iterations} × 100 KiB, ${CONNECTIONS} connections`;
    const targets = { '@tus/server': 2 };
    return await compare({ work, unit: 'uploads/s', rounds, contenders, targets });
  } finally {
    for (const one of started) await one.stop();
  }
}

async function ours(label, directory, env) {
  mkdirSync(directory);
  const proxy = await StorageProxy.start(directory, { env });
  const folder = await proxy.createFolder();
  const steps = (round) => [
    step({
      port: proxy.manager,
      method: 'POST',
      path: '/folder/file/upload',
      headers: proxy.authorization,
      text: JSON.stringify({ ...folder.ref, relpath: `${round}-{n}.bin`, size: BYTES }),
      extract: '"token":"',
    }),
    step({
      port: proxy.client,
      method: 'PATCH',
      path: '/upload?token={v}',
      headers: { ...BODY, 'Upload-Offset': 0 },
      body: BYTES,
      status: 204,
    }),
  ];
  return { name: label, server: proxy.process, steps, stop: () => proxy.stop() };
}

function peer({ name: label, port, process: server, stop }) {
  const steps = () => [
    step({
      port,
      method: 'POST',
      path: '/files/',
      headers: { ...TUS, 'Upload-Length': BYTES },
      status: 201,
      extract: `ocation: http://127.0.0.1:${port}`,
    }),
    step({
      port,
      method: 'PATCH',
      path: '{v}',
      headers: { ...BODY, 'Upload-Offset': 0 },
      body: BYTES,
      status: 204,
    }),
  ];
  return { name: label, server, steps, stop };
}
