/** The domain of `vfs` volumes without any listener, for processes that tests start: what a worker is below its planes. */
import 'reflect-metadata';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NestFactory } from '@nestjs/core';

const DAY_MS = 86_400_000;

/**
 * Opens the volumes. `product` imports modules of the same build by their path in it.
 *
 * @param {object} options
 * @param {string} options.dist the build
 * @param {Record<string, string>} options.volumes directories by name
 * @param {string} [options.nodeId]
 * @param {object} [options.jobs] settings of jobs, over those of tests
 * @param {string} [options.logLevel]
 * @param {(JobPublisher: Function) => object} [options.publisher] makes whoever is told of jobs
 */
export async function openDomain({ dist, volumes, nodeId, jobs, logLevel, publisher }) {
  const product = (path) => import(pathToFileURL(join(dist, path)).href);
  const { configureLogging } = await product('observability/logger.js');
  configureLogging({ level: logLevel ?? 'fatal' });
  const { BackendModule } = await product('backend/backend.module.js');
  const { JobPublisher } = await product('volume/jobs/job-publisher.js');
  const { VolumeModule } = await product('volume/volume.module.js');
  const { VolumeService } = await product('volume/volume.service.js');
  const { LocalWorkerBus } = await product('volume/worker-bus.js');
  const bus = new LocalWorkerBus();
  const app = await NestFactory.createApplicationContext(
    VolumeModule.forRoot({
      settings: settingsOf({ volumes, nodeId, jobs }),
      bus,
      backends: BackendModule.forRoot(),
      ...(publisher && { publisher: publisher(JobPublisher) }),
    }),
    { logger: false },
  );
  const service = app.get(VolumeService);
  await service.registry.open();
  return { bus, product, service };
}

function settingsOf({ volumes, nodeId, jobs }) {
  return {
    volumes: Object.entries(volumes).map(([name, path]) => ({
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
    uploads: {
      lockWaitMs: 1000,
      idleTimeoutMs: 30_000,
      stagingMaxAgeMs: DAY_MS,
      finishedRetentionMs: DAY_MS,
      sweepIntervalMs: DAY_MS,
    },
    downloads: { idleTimeoutMs: 30_000, compressionLevel: 0 },
    jobs: {
      retentionMs: DAY_MS,
      concurrency: 2,
      heartbeatMs: 500,
      expiredAfterMs: 3_000,
      ...jobs,
    },
    nodeId: nodeId ?? 'test-host',
  };
}
