import { execFileSync } from 'node:child_process';
import { jestCommand, repository } from './jest-command.mjs';
import { bootUml, umlPackages } from './uml.mjs';

export const name = 'xfs';
export const packages = [...umlPackages, 'xfsprogs'];

const GIB = 1024 ** 3;

/** An XFS for the tests, and one that each test of mounting mounts as it needs. */
const disks = [1, 2].map(() => ({
  bytes: GIB,
  prepare: (image) => execFileSync('mkfs.xfs', ['-q', image], { stdio: 'inherit' }),
}));

/**
 * Runs the suite in a guest whose kernel has XFS with project quotas, which many do not have.
 *
 * @param {readonly string[]} jestArguments
 */
export async function run(jestArguments) {
  return await bootUml({
    disks,
    setup: `mkdir -p /mnt/xfs /mnt/other
mount -t xfs -o pquota /dev/ubda /mnt/xfs
chmod 755 /mnt/xfs`,
    env: { STORAGE_PROXY_TEST_XFS: '/mnt/xfs', STORAGE_PROXY_TEST_XFS_SPARE: '/dev/ubdb' },
    cwd: repository,
    command: jestCommand('xfs', ['--runInBand', ...jestArguments]),
  });
}
