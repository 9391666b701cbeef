import { Injectable } from '@nestjs/common';
import type {
  Backend,
  BackendDescriptor,
  VolumeSettings,
  VolumeStrategies,
} from '../contract/backend.js';
import { missingMarker } from '../posix/layout-warning.js';
import { MountCheck } from '../posix/mount-check.js';
import { posixStrategies, posixTrees } from '../posix/posix-strategies.js';
import { lookAtCephMount, type CephMount } from './ceph-mount-check.js';
import { CephPerformance } from './ceph-performance.js';
import { CephQuotaModel } from './cephfs-quota.model.js';
import { CephTelemetry } from './cephfs-telemetry.js';
import { CephTrees } from './cephfs-trees.js';
import { CephFsOptions } from './cephfs.options.js';

/** Snapshots of a directory: resolved in each, listed in none. */
const RESERVED_NAMES = [Buffer.from('.snap')];

/**
 * A CephFS tree, mounted by the kernel client or ceph-fuse.
 *
 * Relies on the virtual extended attributes of directories for quotas and recursive statistics
 * (docs.ceph.com/en/latest/cephfs/quota, …/cephfs/snap-schedule for `.snap`), on the client's right to set them (the
 * `p` flag of its MDS capability), and on flock(2), which CephFS grants across all clients of the cluster. No `ceph`
 * program is needed, and no keyring: all goes through the mount. CephFS has no reflinks, no RENAME_NOREPLACE,
 * and no rename across the border of a quota.
 */
@Injectable()
export class CephFsBackend implements Backend<CephFsOptions> {
  readonly #mounts = new MountCheck(lookAtCephMount);

  async open({ name, path, options }: VolumeSettings<CephFsOptions>): Promise<VolumeStrategies> {
    const mount = await this.#mounts.check(name, path);
    return posixStrategies(
      { name, path },
      mount.hasLayoutMarker ? [] : [missingMarker(name, path)],
      {
        quota: new CephQuotaModel(path, options.maxFiles),
        trees: new CephTrees(posixTrees({ name, path }, { reservedNames: RESERVED_NAMES })),
        telemetry: new CephTelemetry(path, mount, performanceOf(name, options, mount)),
        reservedNames: RESERVED_NAMES,
      },
    );
  }
}

function performanceOf(
  volume: string,
  { prometheusUrl, prometheusTimeoutMs, prometheusIntervalMs, pools }: CephFsOptions,
  mount: CephMount,
): CephPerformance | null {
  if (prometheusUrl === undefined) return null;
  const names = pools ?? (mount.pool === null ? [] : [mount.pool]);
  return new CephPerformance({
    volume,
    url: prometheusUrl,
    timeoutMs: prometheusTimeoutMs,
    intervalMs: prometheusIntervalMs,
    pools: names,
  });
}

export const cephFsBackend: BackendDescriptor<CephFsOptions> = {
  name: 'cephfs',
  backend: CephFsBackend,
  options: CephFsOptions,
};
