import { Injectable, Optional } from '@nestjs/common';
import { StorageError } from '../../errors/storage-error.js';
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
import { XFS } from './local-volume-agent.js';
import { XfsQuotaModel } from './xfs-quota.model.js';
import { XfsTrees } from './xfs-trees.js';
import { XfsOptions } from './xfs.options.js';

/**
 * XFS mounted with project quotas: each quota scope, and each vfolder of an unscoped id, is a project with a
 * limit that the kernel enforces. Relies on FS_IOC_FSSETXATTR (ioctl_xfs_fssetxattr(2)), on quotactl(2) with
 * the Q_X commands, and on an agent with CAP_SYS_ADMIN for both. Everything else is as on any mounted filesystem.
 */
@Injectable()
export class XfsBackend implements Backend<XfsOptions> {
  readonly #mounts = new MountCheck(lookAtMount);

  constructor(@Optional() private readonly agent?: AbstractVolumeAgent) {}

  async open({ name, path }: VolumeSettings<XfsOptions>): Promise<VolumeStrategies> {
    const { hasLayoutMarker } = await this.#mounts.check(name, path);
    const agent = this.agent ?? noAgent(name);
    await agent.checkVolume(name);
    return posixStrategies({ name, path }, hasLayoutMarker ? [] : [missingMarker(name, path)], {
      quota: new XfsQuotaModel(agent, name),
      trees: new XfsTrees(agent, name, posixTrees({ name, path }, removalBy(agent, name))),
    });
  }
}

function noAgent(volume: string): never {
  throw new StorageError(
    'UNAVAILABLE',
    `Volume "${volume}" cannot be used: nobody here manages project quotas. Run the agent`,
    { subject: 'volume', volume },
  );
}

export const xfsBackend: BackendDescriptor<XfsOptions> = {
  name: XFS,
  backend: XfsBackend,
  needsAgent: true,
  options: XfsOptions,
};
