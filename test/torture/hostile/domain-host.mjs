/**
 * The domain of one volume in a process of its own, without listeners: what a worker calls for a request. Does what
 * it is told on hostile paths, many calls at a time, and looks for what is not of the vfolder in what comes back.
 *
 * Argument: a JSON text of { dist, volumePath, canary, inodes }, the last two being what must not come back. Messages in: { number, calls: { operation, vfid, paths, flag }[] }.
 * Out, when all of them have ended: { number, worked, violations } with the operations that succeeded; first of all,
 * once, { ready: true }.
 */
import { openDomain } from '../../support/domain.mjs';

const VOLUME = 'local';
const READ_BYTES = 1024;

const { dist, volumePath, canary, inodes } = JSON.parse(process.argv[2]);
const { product, service } = await openDomain({ dist, volumes: { [VOLUME]: volumePath } });
const { RelPath } = await product('volume/ids/relpath.js');
const volume = service.registry.get(VOLUME);
const forbidden = new Set(inodes.map(BigInt));
const { SystemError } = await product('native/errno.js');
const { VFolderId } = await product('volume/ids/vfolder-id.js');

/** Each returns what it was told, as far as that may be of outside. */
const operations = {
  create: (ref) => service.vfolders.create(ref),
  list: async (ref, [path]) => {
    const { entries } = await service.files.list(ref, path);
    return Buffer.concat(entries.map(({ name }) => name));
  },
  look,
  mkdir: (ref, paths, flag) => service.files.mkdir(ref, paths, { parents: flag, existOk: flag }),
  rename: (ref, [path], flag) => service.files.rename(ref, path, flag ? 'f1' : 'n1'),
  move: (ref, [from, to]) => service.files.move(ref, from, to),
  delete: (ref, paths, flag) => service.files.delete(ref, paths, flag),
  mount: (ref, [path]) => service.vfolders.mountPath(ref, path.toString()),
  fetch: (ref, [path]) => contentOf(service.files.open(ref, path)),
  download: async (ref, [path, directory]) => {
    const grant = { ref, path, archive: false, unmanagedPath: null };
    const options = { directory: directory.toString(), archive: true };
    (await service.downloads.open(grant, options)).close();
  },
  archive: async (ref, files) => {
    (await service.archives.open({ ref, files, filename: null })).close();
  },
  upload: async (ref, [path]) => {
    const session = await service.uploads.create(ref, path, 0);
    const request = { ref, session, sizeBytes: 0, target: path };
    await (await service.uploads.open(request)).close();
  },
};

/** What the paths lead to, without anything between this and the system calls. */
async function look(ref, paths) {
  await volume.withVFolder('look', ref.id, async (vfolder) => {
    for (const path of paths) {
      const found = await vfolder.followedStat(path.toBytes()).catch(refusedByKernel);
      if (forbidden.has(found?.ino)) throw new Error(`${path.toString()} led outside`);
    }
  });
}

function refusedByKernel(error) {
  if (!(error instanceof SystemError)) throw error;
}

async function contentOf(opening) {
  const file = await opening;
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    return buffer.subarray(0, await file.read(buffer, 0));
  } finally {
    await file.close();
  }
}

/** Says whether the operation succeeded. */
async function perform({ operation, vfid, paths, flag }, violations) {
  const ref = { volume: VOLUME, id: VFolderId.parse(vfid) };
  try {
    const parsed = paths.map((path) => RelPath.parse(path));
    const told = await operations[operation](ref, parsed, flag);
    if (Buffer.isBuffer(told) && told.includes(canary)) {
      violations.push(`${operation} answered with what is outside`);
    }
    return true;
  } catch (error) {
    if ((error.code ?? 'INTERNAL') === 'INTERNAL') {
      violations.push(`${operation} failed: ${error.stack}`);
    }
    return false;
  }
}

async function answer({ number, calls }) {
  const violations = [];
  const successes = await Promise.all(calls.map((call) => perform(call, violations)));
  const worked = calls.filter((_, index) => successes[index]).map(({ operation }) => operation);
  process.send({ number, worked: [...new Set(worked)], violations });
}

process.on('message', (message) => void answer(message));
process.on('disconnect', () => process.exit());
process.send({ ready: true });
