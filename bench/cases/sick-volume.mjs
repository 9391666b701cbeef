import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { step } from '../lib/load.mjs';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { mountStopping } from '../lib/stopping-mount.mjs';

export const name = 'sick-volume';
export const title = 'Latency of a volume beside one that hangs';

const STUCK = 200;
const ENTRIES = 10;
const FILE_BYTES = 64 * 1024;
const POLL_MS = 20;
/** Less than the five that a request waits for a slot of its volume, so that none of the stuck is answered meanwhile. */
const SECONDS = 2;

/** The same calls on one volume while requests are stuck on another, and while that one is well, in turn. */
export async function run({ directory, load, rounds, scale, note }) {
  const sick = join(directory, 'sick');
  let mount;
  let proxy;
  try {
    mount = await mountStopping(join(directory, 'behind-sick'), sick);
  } catch (error) {
    note(`left out: ${error.message}`);
    return [];
  }
  try {
    proxy = await start(directory, sick);
    const folder = await proxy.createFolder();
    const sickFolder = { volume: 'sick', vfid: `user:${randomUUID()}/${hex(randomUUID())}` };
    await proxy.call('POST', '/folder/create', sickFolder);
    const rows = [];
    for (const [work, request] of Object.entries(requests(proxy, folder))) {
      const latency = async () => {
        const done = await load.run({ seconds: SECONDS * scale, steps: [step(request)] });
        return { value: done.p50 * 1000, count: done.requests };
      };
      rows.push(
        ...(await compare({
          work,
          unit: 'ms',
          better: 'lower',
          rounds,
          contenders: [
            {
              name: `${STUCK} requests stuck on the other`,
              server: proxy.process,
              measure: () => beside(proxy, mount, sickFolder, latency),
            },
            { name: 'both volumes well', server: proxy.process, measure: latency },
          ],
          targets: { 'both volumes well': 1.1 },
        })),
      );
    }
    return rows;
  } finally {
    await mount.unmount();
    await proxy?.stop();
  }
}

/** Neither the prober nor a deadline shall free what is stuck while it is measured. */
async function start(directory, sick) {
  const volume = join(directory, 'volume');
  writeFileSync(join(sick, 'version.txt'), '3\n');
  return await StorageProxy.start(directory, {
    volume,
    settings: {
      volume: {
        main: { backend: 'vfs', path: volume },
        sick: { backend: 'vfs', path: sick },
      },
      health: { 'probe-interval': '1h', 'probe-timeout': '1h' },
      limits: { 'operation-timeout': '10m' },
    },
  });
}

/** Each looks at the volume; the second moves bytes. */
function requests(proxy, folder) {
  const small = join(folder.path, 'small');
  mkdirSync(small);
  for (let n = 0; n < ENTRIES; n++) writeFileSync(join(small, `file-${n}`), 'content');
  writeFileSync(join(folder.path, 'file.bin'), Buffer.alloc(FILE_BYTES));
  return {
    [`POST /folder/file/list of ${ENTRIES} entries`]: {
      port: proxy.manager,
      headers: proxy.authorization,
      method: 'POST',
      path: '/folder/file/list',
      text: JSON.stringify({ ...folder.ref, relpath: 'small' }),
    },
    [`a download of ${FILE_BYTES / 1024} KiB`]: {
      port: proxy.client,
      path: proxy.downloadPath(folder, 'file.bin'),
    },
  };
}

/** `work` while so many requests wait for the volume; resolves when all of them have been answered. */
async function beside(proxy, mount, sickFolder, work) {
  mount.stop();
  const stuck = Array.from({ length: STUCK }, () =>
    proxy.call('POST', '/folder/file/list', { ...sickFolder, relpath: '.' }),
  );
  const answered = Promise.allSettled(stuck);
  try {
    while ((await occupation(proxy)) < STUCK) await sleep(POLL_MS);
    return await work();
  } finally {
    mount.goOn();
    await answered;
  }
}

/** Requests that hold a slot of the sick volume, and that wait for one. */
async function occupation(proxy) {
  const answer = await fetch(`http://127.0.0.1:${proxy.internal}/metrics`);
  const text = await answer.text();
  const figures = text.matchAll(
    /^backendai_storage_bulkhead_(?:in_flight|waiting)\{[^}]*"sick"[^}]*\} (\d+)/gm,
  );
  return [...figures].reduce((sum, [, value]) => sum + Number(value), 0);
}

const hex = (uuid) => uuid.replaceAll('-', '');
