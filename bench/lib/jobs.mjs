import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 5;

/** A deletion goes on after its answer: until nothing is left in the trash. */
export async function swept(folder) {
  const trash = join(folder.path, '..', '..', '..', '.trash');
  while (existsSync(trash) && readdirSync(trash).length > 0) await sleep(POLL_MS);
}

/** The id of a vfolder that is not there yet, in a scope that is. */
export async function emptyTarget(proxy) {
  const folder = await proxy.createFolder();
  rmSync(folder.path, { recursive: true });
  execFileSync('sync', ['-f', proxy.volume]);
  return folder;
}

/** Resolves when the clone is in its place. */
export async function cloned(proxy, source, target) {
  await proxy.call('POST', '/folder/clone', {
    src_volume: 'main',
    src_vfid: source.ref.vfid,
    dst_volume: 'main',
    dst_vfid: target.ref.vfid,
  });
  while (!existsSync(target.path)) await sleep(POLL_MS);
}
