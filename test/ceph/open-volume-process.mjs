/** Says how a CephFS volume is opened by another user. Arguments: the user's id, the volume's path. */
import { CephFsBackend } from '../../dist/backend/cephfs/cephfs.backend.js';

const [uid, path] = process.argv.slice(2);
process.setgroups([]);
process.setgid(Number(uid));
process.setuid(Number(uid));
const answer = await new CephFsBackend().open({ name: 'ceph', path, options: {} }).then(
  () => 'good',
  (error) => `${error.code}: ${error.message}`,
);
process.stdout.write(answer);
