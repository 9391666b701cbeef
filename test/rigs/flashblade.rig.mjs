import { execFileSync } from 'node:child_process';
import { jestCommand, repository } from './jest-command.mjs';
import { bootUml, umlPackages } from './uml.mjs';

export const name = 'flashblade';
export const packages = [...umlPackages, 'xfsprogs', 'nfs-kernel-server', 'nfs-common', 'rpcbind'];

const GIB = 1024 ** 3;

/**
 * NFSv3 as a FlashBlade exports it, from this guest's own server: one export with its locks on the server, and a second
 * mount of it with a client of its own (`nosharecache`), which sees the first one's changes as another host would.
 * The state of statd and rpcbind is the guest's own.
 *
 * A server that has just started grants no lock for a grace period in which clients of its last life reclaim theirs, by
 * default 50 s of lockd (five times nlm_timeout) and 90 s of nfsd, even without NFSv4: a flock that falls into it waits,
 * and an upload with it. Here no client is left from before, so both are cut as short as can be.
 */
const setup = `
mkdir -p /run/lock /run/rpcbind /run/sendsigs.omit.d /mnt/export /mnt/nfs /mnt/other /mnt/statd /mnt/etab
mount --bind /mnt/etab /var/lib/nfs
mkdir -p /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery /var/lib/nfs/nfsdcltrack
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/state
chown -R statd /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/state
node test/rigs/load-modules.mjs sunrpc lockd nfsd nfs nfsv3
echo 3 >/proc/sys/fs/nfs/nlm_timeout; echo 3 >/proc/sys/fs/nfs/nlm_grace_period
mount -t xfs /dev/ubda /mnt/export
mkdir /mnt/export/vol; chmod 777 /mnt/export/vol
mount -t rpc_pipefs sunrpc /var/lib/nfs/rpc_pipefs
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind -i -w
rpc.statd --no-notify
exportfs -i -o rw,no_root_squash,insecure,sync,fsid=1,no_subtree_check 127.0.0.1:/mnt/export
rpc.nfsd --no-nfs-version 4 --nfs-version 3 --grace-time 10 4
echo Y >/proc/fs/nfsd/v4_end_grace
rpc.mountd --no-nfs-version 4
mount -t nfs -o vers=3,proto=tcp,hard,timeo=50,lookupcache=positive 127.0.0.1:/mnt/export/vol /mnt/nfs
mount -t nfs -o vers=3,proto=tcp,hard,timeo=50,lookupcache=positive,nosharecache 127.0.0.1:/mnt/export/vol /mnt/other
`;

/**
 * Runs the suite in a guest that is file server and client at once.
 *
 * @param {readonly string[]} jestArguments
 */
export async function run(jestArguments) {
  return await bootUml({
    disks: [
      {
        bytes: GIB,
        prepare: (image) => execFileSync('mkfs.xfs', ['-q', image], { stdio: 'inherit' }),
      },
    ],
    setup,
    env: { STORAGE_PROXY_TEST_NFS: '/mnt/nfs', STORAGE_PROXY_TEST_NFS_AGAIN: '/mnt/other' },
    cwd: repository,
    command: jestCommand('flashblade', ['--runInBand', ...jestArguments]),
  });
}
