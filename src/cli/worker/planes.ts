import { Server as TlsServer } from 'node:tls';
import { Module, type DynamicModule } from '@nestjs/common';
import { CLIENT_PLANE_CORS } from '../../client-api/client-plane-cors.js';
import { ClientApiModule } from '../../client-api/client-api.module.js';
import type { Settings } from '../../config/settings.js';
import type { HostPort } from '../../grammar/host-port.js';
import { formatHostPort } from '../../grammar/host-port.js';
import { HealthModule, type HealthSources } from '../../health/health.module.js';
import { clientCors } from '../../http/cors.js';
import { installDocs } from '../../http/docs-page.js';
import { managerAuth, type ManagerSecret } from '../../http/manager-auth.js';
import { AuthFailures } from '../../http/limits/auth-failures.js';
import { createPlaneApp, type PlaneApp } from '../../http/plane-app.js';
import { ManagerApiModule } from '../../manager-api/manager-api.module.js';
import { loggerFor } from '../../observability/logger.js';
import type { VolumeService } from '../../volume/volume.service.js';
import { buildPlaneDocument, PLANE_TITLES } from '../plane-documents.js';
import type { TlsMaterial, WorkerBrief } from '../ipc/protocol.js';
import { authLimits, httpLimits, transferLimits } from './plane-limits.js';
import { listenAddress } from './bind-address.js';
import type { Drainable } from './drain.js';

const log = loggerFor('worker');

/** A plane's own module beside what it shares with others. */
@Module({})
class PlaneModule {
  static of(...imports: DynamicModule[]): DynamicModule {
    return { module: PlaneModule, imports };
  }
}

/** What the three listeners stand on. */
export interface PlaneSources extends HealthSources {
  readonly volumes: VolumeService;
  /** Asked at every request, since they may be reloaded. */
  readonly managerSecrets: () => readonly ManagerSecret[];
}

type PlaneName = 'client' | 'manager' | 'internal';

/** The applications of all planes, ready to listen. Nothing is opened. */
export async function createPlanes(
  settings: Settings,
  tls: WorkerBrief['tls'],
  sources: PlaneSources,
): Promise<Record<PlaneName, PlaneApp>> {
  const { clientPlane, managerPlane } = settings;
  const { trustedProxies } = settings.server;
  const limits = httpLimits(settings.limits);
  const clientModule = ClientApiModule.forRoot(sources, transferLimits(settings));
  const client = await createPlaneApp(PlaneModule.of(clientModule), {
    plane: 'client',
    trustedProxies,
    limits,
    basePath: clientPlane.basePath,
    onRequest: [clientCors(CLIENT_PLANE_CORS)],
    ...(tls.client && { tls: tls.client }),
  });
  const managerModule = PlaneModule.of(
    ManagerApiModule.forRoot(sources),
    HealthModule.forRoot(sources),
  );
  const manager = await createPlaneApp(managerModule, {
    plane: 'manager',
    trustedProxies,
    limits,
    basePath: managerPlane.basePath,
    onRequest: [managerAuth(sources.managerSecrets, new AuthFailures(authLimits(settings.limits)))],
    ...(tls.manager && { tls: tls.manager }),
  });
  const internalModule = PlaneModule.of(HealthModule.forRoot(sources, { metrics: true }));
  const internal = await createPlaneApp(internalModule, { plane: 'internal', limits });
  return { client, manager, internal };
}

/** The listeners of a worker. */
export class Planes {
  constructor(private readonly apps: Record<PlaneName, PlaneApp>) {}

  /** Those that do work. The internal listener stays to the end, to tell probes what is going on. */
  get drainable(): Drainable[] {
    return [this.apps.client, this.apps.manager].map(({ fastify, drain }) => ({
      discourage: () => drain.begin(),
      close: () => {
        fastify.server.close();
      },
      settled: (timeoutMs) => drain.settled(timeoutMs),
    }));
  }

  /** New connections get the new certificates; running ones keep theirs. */
  renewTls(tls: WorkerBrief['tls']): void {
    renew(this.apps.client, tls.client);
    renew(this.apps.manager, tls.manager);
  }
}

function renew({ fastify }: PlaneApp, material: TlsMaterial | null): void {
  // Whether a plane speaks TLS at all is decided at start.
  if (material && fastify.server instanceof TlsServer) fastify.server.setSecureContext(material);
}

/**
 * Makes all planes and lets them take connections.
 *
 * @throws Error naming the key of the address that cannot be bound
 */
export async function openPlanes(
  settings: Settings,
  tls: WorkerBrief['tls'],
  sources: PlaneSources,
): Promise<Planes> {
  const { api, clientPlane, managerPlane } = settings;
  const apps = await createPlanes(settings, tls, sources);
  if (clientPlane.docs) serveDocs('client', apps.client, sources.version);
  if (managerPlane.docs) serveDocs('manager', apps.manager, sources.version);
  // The internal listener first: probes may ask for readiness before there is any.
  await listen(apps.internal, 'api.manager.internal-addr', api.manager.internalAddr);
  await listen(apps.client, 'api.client.service-addr', api.client.serviceAddr);
  await listen(apps.manager, 'api.manager.service-addr', api.manager.serviceAddr);
  return new Planes(apps);
}

function serveDocs(plane: 'client' | 'manager', { app, fastify }: PlaneApp, version: string): void {
  installDocs(fastify, PLANE_TITLES[plane], () => buildPlaneDocument(plane, app, version));
}

async function listen({ app }: PlaneApp, key: string, address: HostPort): Promise<void> {
  try {
    await app.listen(listenAddress(address));
    log.debug('Listening', { key, address: formatHostPort(address) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const text = formatHostPort(address);
    throw new Error(`${key} = "${text}": cannot listen there: ${reason}`, { cause: error });
  }
}
