import { Injectable, Optional } from '@nestjs/common';
import type {
  Backend,
  BackendDescriptor,
  VolumeSettings,
  VolumeStrategies,
} from '../contract/backend.js';
import { AbstractVolumeAgent } from '../contract/volume-agent.js';
import { missingMarker } from '../posix/layout-warning.js';
import { lookAtMount, MountCheck } from '../posix/mount-check.js';
import { posixStrategies, posixTrees, removalBy } from '../posix/posix-strategies.js';
import { VfsOptions } from './vfs.options.js';

/**
 * Any mounted POSIX filesystem: ext4, XFS, NFS, CephFS, Lustre, GPFS and what else Linux mounts. Relies on
 * nothing but the system calls of `native`, and so enforces no quota and measures nothing (protocol
 * section 6.2). Reflinks are used where the filesystem has them.
 */
@Injectable()
export class VfsBackend implements Backend<VfsOptions> {
  readonly #mounts = new MountCheck(lookAtMount);

  constructor(@Optional() private readonly agent?: AbstractVolumeAgent) {}

  async open({ name, path }: VolumeSettings<VfsOptions>): Promise<VolumeStrategies> {
    const { hasLayoutMarker } = await this.#mounts.check(name, path);
    return posixStrategies({ name, path }, hasLayoutMarker ? [] : [missingMarker(name, path)], {
      trees: posixTrees({ name, path }, removalBy(this.agent, name)),
    });
  }
}

export const vfsBackend: BackendDescriptor<VfsOptions> = {
  name: 'vfs',
  backend: VfsBackend,
  options: VfsOptions,
};
