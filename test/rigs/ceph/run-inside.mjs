/**
 * Brings up a cluster, mounts its filesystem, and runs Jest on it. For ceph.rig.mjs, which starts this in
 * namespaces of mounts and of networks; the cluster's files are in memory and go with it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jestCommand, repository } from '../jest-command.mjs';
import { CephCluster } from './cluster.mjs';

/** Clients of the filesystem, and what they may do: `p` sets quotas, `s` makes snapshots. */
const CLIENTS = { proxy: 'rwp', operator: 'rwps', restricted: 'rw' };
/** By mount: two of the proxy, as on two hosts; one each of the others. */
const MOUNTS = {
  a: 'proxy',
  b: 'proxy',
  operator: 'operator',
  restricted: 'restricted',
};

const directory = mkdtempSync(join(tmpdir(), 'ceph-rig-'));
execFileSync('ip', ['link', 'set', 'lo', 'up']);
execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'ceph-rig', directory]);

let cluster;
let jest;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => jest?.kill(signal));
try {
  const startedAt = Date.now();
  cluster = await CephCluster.start(directory);
  await Promise.all(Object.entries(CLIENTS).map(([id, may]) => cluster.authorize(id, '/', may)));
  const mounts = {};
  for (const [name, client] of Object.entries(MOUNTS)) {
    mounts[name] = await cluster.mount(name, client);
  }
  console.log(`Ceph is up after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  process.exitCode = await runJest(mounts);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await cluster?.stop();
  execFileSync('umount', ['-l', directory]);
  rmSync(directory, { recursive: true, force: true });
}

async function runJest(mounts) {
  const rig = {
    mounts,
    directory,
    configFile: cluster.configFile,
    keyring: cluster.keyring,
    pids: Object.fromEntries(['mds.m', 'osd.0'].map((name) => [name, cluster.pid(name)])),
  };
  const [command, ...args] = jestCommand('ceph', ['--runInBand', ...process.argv.slice(2)]);
  jest = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
    cwd: repository,
    stdio: 'inherit',
    env: { ...process.env, STORAGE_PROXY_TEST_CEPH: JSON.stringify(rig) },
  });
  const [code] = await once(jest, 'exit');
  return code ?? 1;
}
