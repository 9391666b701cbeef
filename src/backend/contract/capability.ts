import type { VolumeStrategies } from './backend.js';

/** Abilities as named on the wire (protocol section 6.1). */
export type Capability =
  'vfolder' | 'quota' | 'metric' | 'fast-fs-size' | 'fast-scan' | 'fast-size';

/** Computed from what the strategies of an open volume can do, so that a list never claims what the code lacks. */
export function capabilitiesOf({
  quota,
  trees,
  telemetry,
}: Pick<VolumeStrategies, 'quota' | 'trees' | 'telemetry'>): ReadonlySet<Capability> {
  const capabilities = new Set<Capability>(['vfolder']);
  if (quota.enforcesScopes) capabilities.add('quota');
  if (telemetry.measuresPerformance) capabilities.add('metric');
  if (telemetry.knowsCapacityAtOnce) capabilities.add('fast-fs-size');
  if (trees.scansFast) capabilities.add('fast-scan');
  if (trees.knowsUsageAtOnce) capabilities.add('fast-size');
  return capabilities;
}
