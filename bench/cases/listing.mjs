import { closeSync, mkdirSync, openSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { startScript } from '../lib/peers.mjs';
import { clocked } from '../lib/trees.mjs';

export const name = 'listing';
export const title = 'Listings of large directories';

const PAGE = 1000;

/** The peer is the promise API behind a stock Nest route; a page is compared with a page of a smaller directory. */
export async function run({ directory, rounds, scale, note }) {
  const proxy = await StorageProxy.start(directory);
  const folder = await proxy.createFolder();
  const peer = await startScript('Nest, fs.promises', 'control-routes.mjs', directory, [
    folder.path,
  ]);
  try {
    const small = 10_000;
    const large = Math.round(1_000_000 * scale);
    const tenth = small / 10;
    for (const [label, count] of [
      ['tenth', tenth],
      ['small', small],
      ['large', large],
    ]) {
      note(`making ${count} files`);
      mkdirSync(join(folder.path, label));
      for (let i = 0; i < count; i++)
        closeSync(openSync(join(folder.path, label, `file-${i}`), 'w'));
    }
    const list = (relpath, more = {}) =>
      proxy.call('POST', '/folder/file/list', { ...folder.ref, relpath, ...more });
    const timed = (work) => async () => ({ value: (await clocked(work)).seconds * 1000 });
    const theirs = async () => {
      const answer = await fetch(`http://127.0.0.1:${peer.port}/nest/list`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ volume: 'v', vfid: 'v', relpath: 'small' }),
      });
      return JSON.parse(await answer.text());
    };
    const alone = async () => {
      const path = join(folder.path, 'small');
      return await Promise.all((await readdir(path)).map((file) => lstat(join(path, file))));
    };
    const common = { unit: 'ms', better: 'lower', rounds };
    return [
      ...(await compare({
        ...common,
        work: `all ${small} entries, as JSON`,
        contenders: [
          { name: 'storage-proxy', server: proxy.process, measure: timed(() => list('small')) },
          { name: peer.name, server: peer.process, measure: timed(theirs) },
          { name: 'readdir + lstat alone, in process', measure: timed(alone) },
        ],
        targets: { [peer.name]: 0.25 },
      })),
      ...(await compare({
        ...common,
        work: 'all entries at ten times the size',
        contenders: [
          { name: `of ${small}`, server: proxy.process, measure: timed(() => list('small')) },
          { name: `of ${tenth}`, server: proxy.process, measure: timed(() => list('tenth')) },
        ],
        targets: { [`of ${tenth}`]: 11 },
      })),
      ...(await compare({
        ...common,
        work: `first page of ${PAGE}`,
        contenders: [
          {
            name: `of ${large}`,
            server: proxy.process,
            measure: timed(() => list('large', { limit: PAGE })),
          },
          {
            name: `of ${small}`,
            server: proxy.process,
            measure: timed(() => list('small', { limit: PAGE })),
          },
        ],
        targets: { [`of ${small}`]: 2 },
      })),
    ];
  } finally {
    await proxy.stop();
    await peer.stop();
  }
}
