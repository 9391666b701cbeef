import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { startNginx, startScript, startTusd } from '../lib/peers.mjs';
import { EATMYDATA } from '../lib/syncing.mjs';

export const name = 'uploads';
export const title = 'Uploads of a large file';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** A round of all five takes a quarter of a minute. */
const MOST_ROUNDS = 3;
const TUS = { 'Tus-Resumable': '1.0.0' };
const BODY = { ...TUS, 'Content-Type': 'application/offset+octet-stream' };
/**
 * None of the peers syncs: an answer of theirs promises nothing after a power failure. Ours does by default, so it
 * is measured twice: as it is, and with syncing made to do nothing, which is the comparison like for like.
 */
export async function run({ directory, load, rounds, scale, note }) {
  const started = await startAll(directory, note);
  const [ours] = started;
  const rows = [];
  try {
    for (const [pieces, connections] of [
      [1, 1],
      [64, 1],
      [1, 16],
      [64, 16],
    ]) {
      const total = Math.round((GIB * scale) / (64 * MIB)) * 64 * MIB || 64 * MIB;
      const size = Math.round(total / connections);
      const piece = pieces === 1 ? size : Math.min(16 * MIB, size);
      const shape = { size, piece, connections, total: size * connections };
      // DAV cannot resume: one PUT is one PATCH.
      const fitting = started.filter(({ resumes }) => resumes !== false || pieces === 1);
      const contenders = fitting.map((one) => ({
        name: one.name,
        server: one.server,
        measure: async () => {
          const done = await one.upload(load, shape);
          return {
            value: done.bytesOut / GIB / done.seconds,
            bytes: done.bytesOut,
            client: done.cpuSeconds / done.seconds,
          };
        },
      }));
      const how = pieces === 1 ? 'one PATCH' : '16 MiB PATCHes';
      const work = `${(shape.total / GIB).toFixed(2)} GiB, ${how}, ${connections} connections`;
      note(work);
      rows.push(
        ...(await compare({
          work,
          unit: 'GiB/s',
          rounds: Math.min(rounds, MOST_ROUNDS),
          contenders,
          targets: { tusd: 1.3, '@tus/server': 1.5 },
        })),
      );
    }
  } finally {
    for (const one of started) await one.stop();
  }
  if (ours.name === 'storage-proxy') note('libeatmydata1 is not installed: no like-for-like rows');
  return rows;
}

/** The first is the one that the others are compared with. */
async function startAll(directory, note) {
  const started = [];
  if (EATMYDATA) {
    const env = { LD_PRELOAD: EATMYDATA };
    started.push(await startOurs('storage-proxy, not syncing', join(directory, 'unsynced'), env));
  }
  started.push(await startOurs('storage-proxy', join(directory, 'synced')));
  const tusd = await startTusd(directory, join(directory, 'tusd'));
  if (tusd) started.push(tusPeer(tusd, join(directory, 'tusd')));
  else note('tusd cannot be built here: left out');
  mkdirSync(join(directory, 'tus'));
  const stock = await startScript('@tus/server', 'tus-server.mjs', directory, [
    join(directory, 'tus'),
  ]);
  started.push(tusPeer(stock, join(directory, 'tus')));
  mkdirSync(join(directory, 'dav'));
  started.push(davPeer(await startNginx(directory, { root: join(directory, 'dav') })));
  return started;
}

async function startOurs(label, directory, env) {
  mkdirSync(directory);
  const proxy = await StorageProxy.start(directory, { env });
  const folder = await proxy.createFolder();
  let round = 0;
  const upload = async (load, { size, piece, connections }) => {
    const names = Array.from({ length: connections }, (_, index) => `${round}-${index}.bin`);
    round++;
    const list = await Promise.all(names.map((file) => proxy.uploadPath(folder, file, size)));
    const patch = { port: proxy.client, method: 'PATCH', path: '{l}', body: piece, status: 204 };
    const steps = [
      step({ ...patch, repeat: size / piece, headers: { ...BODY, 'Upload-Offset': '{o}' } }),
    ];
    const done = await load.run({ connections, iterations: connections, list, steps });
    for (const file of names) rmSync(join(folder.path, file));
    return done;
  };
  return { name: label, server: proxy.process, upload, stop: () => proxy.stop() };
}

function tusPeer(peer, directory) {
  const upload = async (load, { size, piece, connections }) => {
    const { port } = peer;
    const create = {
      port,
      method: 'POST',
      path: '/files/',
      headers: { ...TUS, 'Upload-Length': size },
      status: 201,
      extract: `ocation: http://127.0.0.1:${port}`,
    };
    const patch = { port, method: 'PATCH', path: '{v}', body: piece, status: 204 };
    const headers = { ...BODY, 'Upload-Offset': '{o}' };
    const steps = [step(create), step({ ...patch, repeat: size / piece, headers })];
    const done = await load.run({ connections, iterations: connections, steps });
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    return done;
  };
  return { name: peer.name, server: peer.process, upload, stop: peer.stop };
}

function davPeer(peer) {
  const upload = async (load, { size, connections }) => {
    const put = { port: peer.port, method: 'PUT', path: '/put/{n}.bin', body: size, status: 0 };
    return await load.run({ connections, iterations: connections, steps: [step(put)] });
  };
  const { process: server, stop } = peer;
  return { name: 'nginx (DAV PUT)', server, upload, stop, resumes: false };
}
