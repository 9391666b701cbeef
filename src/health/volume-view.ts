import { isServiceable, type ProbeReport } from './probe/probe-report.js';
import type { VolumeState } from './process-group.js';

/** Everything known of one volume, from its prober and from the workers, in one place. */
export interface VolumeView {
  readonly volume: string;
  readonly healthy: boolean;
  /** Requests have a chance, if not all of them. */
  readonly usable: boolean;
  readonly message: string | null;
  readonly checkedAt: string;
}

/**
 * Puts the probes beside what workers say. A volume is healthy when its last probe was good and every
 * worker can use it, and its hardware is well; the first complaint is the message.
 */
export function viewVolumes(
  probes: readonly ProbeReport[],
  states: readonly VolumeState[],
  now: Date = new Date(),
): VolumeView[] {
  const names = new Set([...states, ...probes].map(({ volume }) => volume));
  return [...names].map((volume) => {
    const probe = probes.find((report) => report.volume === volume);
    const mine = states.filter((state) => state.volume === volume);
    const refused = mine.find((state) => !state.usable);
    const trouble = mine.find((state) => state.trouble)?.trouble ?? null;
    const probedWell = probe === undefined || probe.outcome === 'ok' || probe.outcome === 'pending';
    return {
      volume,
      healthy: refused === undefined && probedWell && trouble === null,
      usable: mine.some((state) => state.usable) && (probe === undefined || isServiceable(probe)),
      message: refused?.reason ?? (probedWell ? trouble : probe.message),
      checkedAt: probe?.checkedAt ?? now.toISOString(),
    };
  });
}
