/**
 * A process that holds the domain of one or two `vfs` volumes, without any listener: what a worker is, as far
 * as jobs can tell. Driven over its IPC channel by volume-host.ts; made to be killed.
 *
 * Arguments: a JSON text of { volumes: { [name]: path }, nodeId, jobs }.
 */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { BackendModule } from '../../dist/backend/backend.module.js';
import { configureLogging } from '../../dist/observability/logger.js';
import { QuotaScopeId } from '../../dist/volume/ids/quota-scope-id.js';
import { RelPath } from '../../dist/volume/ids/relpath.js';
import { VFolderId } from '../../dist/volume/ids/vfolder-id.js';
import { JobPublisher } from '../../dist/volume/jobs/job-publisher.js';
import { VolumeModule } from '../../dist/volume/volume.module.js';
import { VolumeService } from '../../dist/volume/volume.service.js';
import { LocalWorkerBus, WORKER_DIED } from '../../dist/volume/worker-bus.js';

const options = JSON.parse(process.argv[2]);
configureLogging({ level: options.logLevel ?? 'fatal' });

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
class ParentPublisher extends JobPublisher {}
for (const event of EVENTS) {
  ParentPublisher.prototype[event] = (job, message) => tell({ event, job, message });
}

const settings = {
  volumes: Object.entries(options.volumes).map(([name, path]) => ({
    name,
    backend: 'vfs',
    path,
    fsprefix: '.',
    options: {},
  })),
  scandirLimit: 1000,
  maxUploadSizeBytes: 2 ** 30,
  tokenKeys: ['0123456789abcdef0123456789abcdef'],
  tokenLifetimeMs: 3_600_000,
  autoCreateQuotaScope: true,
  unmanagedRoots: [],
  operationDeadlineMs: 30_000,
  usageDeadlineMs: 30_000,
  bulkheadShare: 16,
  uploads: { lockWaitMs: 1000, abandonedAfterMs: 86_400_000, finishedMarkerMs: 86_400_000 },
  jobs: {
    retentionMs: 86_400_000,
    concurrency: 2,
    heartbeatMs: 500,
    expiredAfterMs: 3_000,
    ...options.jobs,
  },
  nodeId: options.nodeId ?? 'test-host',
};

const bus = new LocalWorkerBus();
const app = await NestFactory.createApplicationContext(
  VolumeModule.forRoot({
    settings,
    bus,
    backends: BackendModule.forRoot(),
    publisher: new ParentPublisher(),
  }),
  { logger: false },
);
const volumes = app.get(VolumeService);
await volumes.registry.open();
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
