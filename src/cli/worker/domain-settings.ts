import type { BackendDescriptor, VolumeSettings } from '../../backend/contract/backend.js';
import type { Settings } from '../../config/settings.js';
import type { VolumeSection } from '../../config/sections/volume.section.js';
import { validateSection } from '../../grammar/section/validate-section.js';
import type { DomainSettings } from '../../volume/domain-settings.js';

/** A host counts as dead when so many signs of life are missing: four, and time for the last of them to be late. */
const HEARTBEATS_MISSED = 4.5;

/** The domain's view of the configuration. */
export function domainSettings(
  settings: Settings,
  backends: readonly BackendDescriptor[],
): DomainSettings {
  const { storageProxy, limits, server, uploads, downloads, jobs, credentials } = settings;
  return {
    volumes: volumeSettings(settings, backends),
    scandirLimit: storageProxy.scandirLimit,
    maxUploadSizeBytes: storageProxy.maxUploadSizeBytes,
    tokenKeys: credentials.jwtKeys,
    tokenLifetimeMs: storageProxy.sessionExpireMs,
    autoCreateQuotaScope: storageProxy.allowAutoQuotaScopeCreation,
    unmanagedRoots: settings.security.unmanagedRoots,
    operationDeadlineMs: limits.operationTimeoutMs,
    usageDeadlineMs: limits.usageTimeoutMs,
    bulkheadShare: Math.max(1, Math.floor(server.threadPoolSize * limits.volumeShare)),
    uploads,
    downloads,
    jobs: {
      retentionMs: jobs.finishedRetentionMs,
      concurrency: jobs.concurrency,
      heartbeatMs: jobs.takeoverAfterMs / HEARTBEATS_MISSED,
      expiredAfterMs: jobs.takeoverAfterMs,
    },
    volumeStats: storageProxy.volumeStats,
    nodeId: storageProxy.nodeId,
  };
}

/** The configured volumes, each with options of its backend's class. */
export function volumeSettings(
  { volumes }: Settings,
  backends: readonly BackendDescriptor[],
): VolumeSettings[] {
  return volumes.map(({ name, backend, path, fsprefix, options }) => ({
    name,
    backend,
    path,
    fsprefix,
    options: typedOptions({ name, backend, options }, backends),
  }));
}

/** The configuration was checked against the same classes when it was read. */
function typedOptions(
  { name, backend, options }: Pick<VolumeSection, 'name' | 'backend' | 'options'>,
  backends: readonly BackendDescriptor[],
): object {
  const descriptor = backends.find((candidate) => candidate.name === backend);
  if (!descriptor) return options;
  return validateSection(descriptor.options, options, ['volume', name, 'options']).value;
}
