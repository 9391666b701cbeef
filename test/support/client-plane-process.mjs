/**
 * A client plane from dist/ in a process of its own, so that tests can kill it. Reads its settings (JSON)
 * from argv, prints `{ "port": … }` and then one line for each command it is sent over IPC.
 */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { BackendModule } from '../../dist/backend/backend.module.js';
import { ClientApiModule } from '../../dist/client-api/client-api.module.js';
import { CLIENT_PLANE_CORS } from '../../dist/client-api/client-plane-cors.js';
import { clientCors } from '../../dist/http/cors.js';
import { createPlaneApp } from '../../dist/http/plane-app.js';
import { configureLogging } from '../../dist/observability/logger.js';
import { NestLogger } from '../../dist/observability/nest-logger.js';
import { RelPath } from '../../dist/volume/ids/relpath.js';
import { VFolderId } from '../../dist/volume/ids/vfolder-id.js';
import { VolumeModule } from '../../dist/volume/volume.module.js';
import { VolumeService } from '../../dist/volume/volume.service.js';
import { LocalWorkerBus } from '../../dist/volume/worker-bus.js';

configureLogging({ level: process.env.TEST_LOG_LEVEL ?? 'fatal', format: 'json' });
process.umask(0o022);
const { tls, ...settings } = JSON.parse(process.argv[2]);
const core = await NestFactory.createApplicationContext(
  VolumeModule.forRoot({ settings, bus: new LocalWorkerBus(), backends: BackendModule.forRoot() }),
  { logger: new NestLogger(), abortOnError: false },
);
const volumes = core.get(VolumeService);
await volumes.registry.open();
const { app } = await createPlaneApp(ClientApiModule.forRoot({ volumes, version: '0.0.0' }), {
  plane: 'client',
  ...(tls ? { tls } : {}),
  onRequest: [clientCors(CLIENT_PLANE_CORS)],
});
await app.listen(0, '127.0.0.1');

/** What the manager plane would do. */
const commands = {
  async createVFolder({ vfid }) {
    const ref = { volume: 'local', id: VFolderId.parse(vfid) };
    if (ref.id.scope) await volumes.quotaScopes.create('local', ref.id.scope, null).catch(() => {});
    await volumes.vfolders.create(ref, {});
    return volumes.vfolders.mountPath(ref, '.');
  },
  async uploadToken({ volume = 'local', vfid, path, size }) {
    const ref = { volume, id: VFolderId.parse(vfid) };
    const relpath = RelPath.parseClient(path);
    const session = await volumes.uploads.create(ref, relpath, size);
    const token = volumes.tokens.issueUpload({ ref, path: relpath, sizeBytes: size, session });
    return { token, session };
  },
  downloadToken({ volume = 'local', vfid, path, archive = false, unmanagedPath = null }) {
    const ref = { volume, id: VFolderId.parse(vfid) };
    const relpath = RelPath.parseClient(path);
    return volumes.tokens.issueDownload({ ref, path: relpath, archive, unmanagedPath });
  },
  archiveToken({ volume = 'local', vfid, files, filename = null }) {
    const ref = { volume, id: VFolderId.parse(vfid) };
    return volumes.tokens.issueArchive({
      ref,
      files: files.map((file) => RelPath.parse(file)),
      filename,
    });
  },
};

async function obey({ id, command, argument }) {
  try {
    process.send({ id, result: await commands[command](argument) });
  } catch (error) {
    process.send({ id, error: { code: error.code, message: error.message } });
  }
}

process.on('message', (order) => void obey(order));
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.send({ port: app.getHttpServer().address().port });
