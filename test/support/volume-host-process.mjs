/**
 * A process that holds the domain of one or two `vfs` volumes, without any listener: what a worker is, as far
 * as jobs can tell. Driven over its IPC channel by volume-host.ts; made to be killed.
 *
 * Arguments: a JSON text of { volumes: { [name]: path }, nodeId, jobs }.
 */
import { join } from 'node:path';
import { openDomain } from './domain.mjs';

const options = JSON.parse(process.argv[2]);

const tell = (message) => new Promise((resolve) => process.send(message, () => resolve()));

const EVENTS = [
  'jobUpdated',
  'vfolderDeleted',
  'vfolderDeletionFailed',
  'cloneSucceeded',
  'cloneFailed',
  'jobDone',
  'jobFailed',
  'jobCancelled',
];
/** Hands every event on to the parent. */
function parentPublisher(JobPublisher) {
  class ParentPublisher extends JobPublisher {}
  for (const event of EVENTS) {
    ParentPublisher.prototype[event] = (job, message) => tell({ event, job, message });
  }
  return new ParentPublisher();
}

const {
  bus,
  product,
  service: volumes,
} = await openDomain({
  ...options,
  dist: join(import.meta.dirname, '../../dist'),
  publisher: parentPublisher,
});
const { QuotaScopeId } = await product('volume/ids/quota-scope-id.js');
const { RelPath } = await product('volume/ids/relpath.js');
const { VFolderId } = await product('volume/ids/vfolder-id.js');
const { WORKER_DIED } = await product('volume/worker-bus.js');
volumes.jobs.start();

const ref = ({ volume, vfid }) => ({ volume, id: VFolderId.parse(vfid) });
const calls = {
  createScope: (volume, scope) =>
    volumes.quotaScopes.create(volume, QuotaScopeId.parse(scope), null),
  create: (folder) => volumes.vfolders.create(ref(folder)),
  delete: (folder) => volumes.vfolders.delete(ref(folder)),
  clone: (from, to) => volumes.vfolders.clone(ref(from), ref(to)),
  deleteAsync: (folder, paths, recursive) =>
    volumes.files.deleteAsync(
      ref(folder),
      paths.map((path) => RelPath.parse(path)),
      recursive,
    ),
  list: () => volumes.jobs.list(),
  get: (id) => volumes.jobs.get(id),
  cancel: (id) => volumes.jobs.cancel(id),
  watch: async (id) => {
    const seen = [];
    for await (const job of volumes.jobs.watch(id)) seen.push(job);
    return seen;
  },
  workerDied: async () => bus.publish(WORKER_DIED, null),
  drain: (deadlineMs) => volumes.jobs.drain(deadlineMs),
};

async function answer({ number, call, args }) {
  try {
    await tell({ number, result: (await calls[call](...args)) ?? null });
  } catch (error) {
    await tell({
      number,
      error: { code: error.code, message: error.message, details: error.details },
    });
  }
}
process.on('message', (message) => void answer(message));
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
await tell({ ready: true });
