import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildSettings } from '../../config/load-settings.js';
import { ServingState } from '../../health/serving-state.js';
import { configureLogging } from '../../observability/logger.js';
import { LocalWorkerBus } from '../../volume/worker-bus.js';
import { installation } from '../installation.js';
import { buildPlaneDocument } from '../plane-documents.js';
import { createCore } from '../worker/core.js';
import { LoneProcess } from '../worker/lone-process.js';
import { createPlanes } from '../worker/planes.js';
import type { CommandContext } from './context.js';

export interface OpenApiArguments {
  readonly directory: string;
}

/** The documents depend on the code alone; this is what it takes to construct the planes. */
const ANY_CONFIGURATION = {
  'storage-proxy': { 'node-id': 'openapi', 'session-expire': '1d', secret: 'not-used' },
  api: { manager: { secret: 'not-used' } },
};

/** Writes the documents that the planes serve. Nothing listens and no volume is opened. */
export async function openApiCommand(
  { directory }: OpenApiArguments,
  { cwd, print }: CommandContext,
): Promise<number> {
  configureLogging({ level: 'error', destination: 'stderr' });
  const { settings } = buildSettings(structuredClone(ANY_CONFIGURATION), cwd, { env: {} });
  const core = await createCore(settings, new LocalWorkerBus());
  const apps = await createPlanes(
    settings,
    { client: null, manager: null },
    {
      volumes: core.volumes,
      managerSecrets: () => [],
      version: installation.version,
      group: new LoneProcess(),
      services: () => [],
      serving: new ServingState(),
    },
  );
  const folder = resolve(cwd, directory);
  mkdirSync(folder, { recursive: true });
  for (const plane of ['client', 'manager'] as const) {
    const document = buildPlaneDocument(plane, apps[plane].app, installation.version);
    const file = join(folder, `${plane}.json`);
    writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
    print(file);
  }
  return 0;
}
