import { isErrno } from '../../../native/errno.js';
import { VolumeAccess } from './volume-access.js';
import { readLayout, type VolumeLayout } from './volume-layout.js';

/** What there is on those of the volumes that are on the filesystem, with whole paths. */
export function layoutsOn(dev: bigint, mountPaths: readonly string[]): VolumeLayout[] {
  return mountPaths.filter((mountPath) => devOf(mountPath) === dev).map(layoutByWholePaths);
}

function layoutByWholePaths(mountPath: string): VolumeLayout {
  const layout = readLayout(mountPath);
  const roots = layout.roots.map((root) => ({ ...root, path: `${mountPath}/${root.path}` }));
  return { ...layout, roots };
}

/** A volume that is not mounted now is on no filesystem of ours. */
function devOf(mountPath: string): bigint | null {
  try {
    return new VolumeAccess(mountPath).dev;
  } catch (error) {
    if (isErrno(error)) return null;
    throw error;
  }
}
