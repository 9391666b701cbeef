import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { repository } from './jest-command.mjs';

export const name = 'ceph';
export const packages = [
  'ceph-common',
  'ceph-fuse',
  'ceph-mds',
  'ceph-mgr',
  'ceph-mon',
  'ceph-osd',
  'attr',
  'iproute2',
  'nginx',
  'redis-server',
];

const INSIDE = fileURLToPath(new URL('./ceph/run-inside.mjs', import.meta.url));

/**
 * Runs the suite beside a Ceph cluster of its own, whose filesystem is mounted twice. All of it happens in a mount
 * and a network namespace, where every port is free, and ends with this process, however that ends: no mount and no
 * daemon stays.
 *
 * @param {readonly string[]} jestArguments
 */
export async function run(jestArguments) {
  if (process.getuid() !== 0) {
    console.error('The ceph suite mounts filesystems, for which it must run as root.');
    return 1;
  }
  const namespaces = ['unshare', '--mount', '--propagation', 'private', '--net'];
  const command = ['--pdeathsig', 'KILL', ...namespaces];
  const child = spawn('setpriv', [...command, process.execPath, INSIDE, ...jestArguments], {
    cwd: repository,
    stdio: 'inherit',
  });
  // The cluster is to be taken down by those who made it.
  const forward = (signal) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, forward);
  const [code] = await once(child, 'exit');
  for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, forward);
  return code ?? 1;
}
