import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jestCommand, repository } from './jest-command.mjs';
import { bootUml, umlPackages } from './uml.mjs';

export const name = 'xfs';
export const packages = [...umlPackages, 'xfsprogs'];

const MIB = 1024 ** 2;
const MANY_FILES = 100_000;
const MANY_FILES_PROJECT = 4242;
const BIG = { maxBuffer: 1024 * MIB };
const SCOPE = '0123456789abcdef0123456789abcdef';

/**
 * Runs the suite in a guest whose kernel has XFS with project quotas, which many do not have. Three filesystems: one for
 * the tests, one whose only scope holds 100,000 files of one project, and a small one to be mounted in every way.
 *
 * @param {readonly string[]} jestArguments
 */
export async function run(jestArguments) {
  return await bootUml({
    disks: [
      { bytes: 1024 * MIB, prepare: (image) => mkfs(image) },
      { bytes: 1024 * MIB, prepare: mkfsWithManyFiles },
      { bytes: 320 * MIB, prepare: (image) => mkfs(image) },
    ],
    setup: `mkdir -p /mnt/xfs /mnt/many
mount -t xfs -o pquota /dev/ubda /mnt/xfs
mount -t xfs -o pquota /dev/ubdb /mnt/many`,
    env: {
      STORAGE_PROXY_TEST_XFS: '/mnt/xfs',
      STORAGE_PROXY_TEST_XFS_MANY: `/mnt/many/${SCOPE}`,
      STORAGE_PROXY_TEST_XFS_SPARE: '/dev/ubdc',
    },
    cwd: repository,
    command: jestCommand('xfs', ['--runInBand', ...jestArguments]),
  });
}

function mkfs(image, ...options) {
  execFileSync('mkfs.xfs', ['-q', ...options, image], { stdio: 'inherit' });
}

/** By mkfs itself, which takes a second where the guest would take minutes (mkfs.xfs(8), "-p protofile"). */
function mkfsWithManyFiles(image) {
  const directory = mkdtempSync(join(tmpdir(), 'xfs-proto-'));
  try {
    const proto = join(directory, 'proto');
    const files = Array.from({ length: MANY_FILES }, (_, i) => `file${i} ---644 0 0 /dev/null`);
    const lines = ['-', '0 0', 'd--755 0 0', `${SCOPE} d--755 0 0`, ...files, '$', '$', ''];
    writeFileSync(proto, lines.join('\n'));
    // It gives the flag to all, but the id to the top directory only.
    mkfs(image, '-d', `projinherit=${MANY_FILES_PROJECT}`, '-p', proto);
    const listing = execFileSync('xfs_db', ['-c', `path /${SCOPE}`, '-c', 'ls', image], BIG);
    const inodes = [...listing.toString().matchAll(/^\d+ +(\d+) .* (?!\.\. )\S+ \(good\)$/gm)];
    const input = inodes
      .map(([, inode]) => `inode ${inode}\nwrite core.projid_lo ${MANY_FILES_PROJECT}\n`)
      .join('');
    execFileSync('xfs_db', ['-x', image], { ...BIG, input });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
