/**
 * The process that looks at one volume again and again, and may hang with it. Started by the primary
 * under the workers' identity; ends with the primary.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { probeVolume, sweepStaleProbes, type ProbeFindings } from './probe-volume.js';

export interface ProbeOrder {
  readonly path: string;
  readonly intervalMs: number;
  /** Whether the path was seen as a mount point before, by a prober that has ended since. */
  readonly expectMountPoint: boolean;
}

async function probeForever({ path, intervalMs, expectMountPoint }: ProbeOrder): Promise<void> {
  let wasMountPoint = expectMountPoint;
  sweepStaleProbes(path);
  for (;;) {
    const findings: ProbeFindings = probeVolume(path, wasMountPoint);
    wasMountPoint ||= findings.mountPoint;
    process.send?.(findings);
    await sleep(intervalMs);
  }
}

function end(): void {
  process.kill(process.pid, 'SIGKILL');
}

process.title = 'storage-proxy: prober';
// A terminal and a service manager signal the whole group; when to end is the primary's decision.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => undefined);
}
process.once('disconnect', end);
process.once('message', (order: ProbeOrder) => {
  void probeForever(order).catch(end);
});
