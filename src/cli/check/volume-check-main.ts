import 'reflect-metadata';
import { settingsFromJson } from '../../config/settings.js';
import { probeVolume } from '../../health/probe/probe-volume.js';
import { configureLogging } from '../../observability/logger.js';
import { LocalWorkerBus } from '../../volume/worker-bus.js';
import { openCore } from '../worker/core.js';
import { endNow } from '../worker/self-care.js';
import type { VolumeCheckOrder, VolumeFinding } from './check-volumes.js';

/** The entry of the process that `check-config --probe` looks at volumes with. */
process.once('disconnect', endNow);
process.once('message', (order: VolumeCheckOrder) => {
  check(order).then(endNow, (error: unknown) => {
    process.stderr.write(`storage-proxy: ${String(error)}\n`);
    endNow();
  });
});

async function check({ settings: json, agent }: VolumeCheckOrder): Promise<void> {
  // What goes wrong is printed by the command, once.
  configureLogging({ level: 'fatal' });
  const settings = settingsFromJson(json);
  const core = await openCore(settings, new LocalWorkerBus(), { agent });
  for (const { volume, usable, reason } of core.volumeStates()) {
    if (!usable) await report({ volume, problem: reason ?? 'cannot be used' });
  }
  for (const { volume, usable } of core.volumeStates()) {
    const path = settings.volumes.find(({ name }) => name === volume)?.path;
    if (usable && path) await report({ volume, problem: probeVolume(path, false).message });
  }
}

function report(finding: VolumeFinding): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(finding, undefined, undefined, () => resolve());
  });
}
