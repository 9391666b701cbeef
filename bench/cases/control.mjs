import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { startScript } from '../lib/peers.mjs';

export const name = 'control';
export const title = 'Control calls';

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** The peers authenticate nobody, validate the same members and read the same directory. */
export async function run({ directory, load, rounds, scale }) {
  const proxy = await StorageProxy.start(directory);
  const folder = await proxy.createFolder();
  mkdirSync(join(folder.path, 'small'));
  for (let i = 0; i < 10; i++) writeFileSync(join(folder.path, 'small', `file-${i}`), 'content');
  const peer = await startScript('peers', 'control-routes.mjs', directory, [folder.path]);
  const iterations = Math.round(5_000 * scale);
  const measure = (request) => async () => {
    const done = await load.run({ connections: 16, iterations, steps: [step(request)] });
    return {
      value: done.requests / done.seconds,
      count: done.requests,
      client: done.cpuSeconds / done.seconds,
    };
  };
  const headers = proxy.authorization;
  const list = { method: 'POST', text: JSON.stringify({ ...folder.ref, relpath: 'small' }) };
  const compared = (work, target, ours, theirs) =>
    compare({
      work,
      unit: 'requests/s',
      rounds,
      contenders: [
        {
          name: 'storage-proxy',
          server: proxy.process,
          measure: measure({ port: proxy.manager, headers, ...ours }),
        },
        {
          name: target.name,
          server: peer.process,
          measure: measure({ port: peer.port, headers: JSON_TYPE, ...theirs }),
        },
      ],
      targets: { [target.name]: target.ratio },
    });
  try {
    return [
      ...(await compared(
        'GET /volumes',
        { name: 'bare Fastify route', ratio: 0.6 },
        { path: '/volumes' },
        { path: '/fastify/volumes' },
      )),
      ...(await compared(
        'POST /folder/file/list of 10 entries',
        { name: 'stock Nest with ValidationPipe', ratio: 0.9 },
        { path: '/folder/file/list', ...list },
        { path: '/nest/list', ...list },
      )),
    ];
  } finally {
    await proxy.stop();
    await peer.stop();
  }
}
