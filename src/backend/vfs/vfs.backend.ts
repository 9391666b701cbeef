import { Injectable } from '@nestjs/common';
import type {
  Backend,
  BackendDescriptor,
  VolumeSettings,
  VolumeStrategies,
} from '../contract/backend.js';
import { MountCheck } from '../posix/mount-check.js';
import { posixStrategies } from '../posix/posix-strategies.js';
import { VfsOptions } from './vfs.options.js';

/**
 * Any mounted POSIX filesystem: ext4, XFS, NFS, CephFS, Lustre, GPFS and what else Linux mounts. Relies on
 * nothing but the system calls of `native`, and so enforces no quota and measures nothing (protocol
 * section 6.2). Reflinks are used where the filesystem has them.
 */
@Injectable()
export class VfsBackend implements Backend<VfsOptions> {
  readonly #mounts = new MountCheck();

  async open({ name, path }: VolumeSettings<VfsOptions>): Promise<VolumeStrategies> {
    const { hasLayoutMarker } = await this.#mounts.check(name, path);
    return posixStrategies(path, hasLayoutMarker ? [] : [missingMarker(name, path)]);
  }
}

/** Scoped and bare ids are both served whatever the marker says, so its absence stops nothing. */
function missingMarker(name: string, path: string): string {
  return (
    `Volume "${name}" has no ${path}/version.txt, so it is read as one of the layout before quota scopes. ` +
    `Vfolders of both layouts are served; write "3" to that file once none of the old layout is left`
  );
}

export const vfsBackend: BackendDescriptor<VfsOptions> = {
  name: 'vfs',
  backend: VfsBackend,
  options: VfsOptions,
};
